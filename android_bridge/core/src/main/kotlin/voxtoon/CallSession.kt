package voxtoon

import voxtoon.face.Face
import voxtoon.voice.Confidence
import voxtoon.voice.Resampler
import voxtoon.voice.SampleSink
import voxtoon.voice.SpeechDetector

/** Where a call stands. */
public enum class CallState {
    /** Before the first face worth showing. */
    LISTENING,

    /** There is a face, and it still changes. */
    DRAFT,

    /** After 3 s of speech, once the face hardly moves from one update to the next; it may become a draft again. */
    STABLE,
}

/**
 * Faces of a call, one for each further stretch of speech; memory does not grow with the call.
 *
 * For one thread. However the call is cut into chunks, the faces are the same, and the last one is that of the whole call.
 */
internal class CallSession(private val pipeline: Pipeline, private val options: Options, rateHz: Int, private val update: (Face, CallState, Boolean) -> Unit) {
    private val listener = pipeline.listener()
    private var resampler = Resampler(rateHz)
    private var dueS = options.firstUpdateSpeechMs / 1000.0
    private var last: Face? = null
    private var state = CallState.LISTENING
    private val hear = SampleSink { samples, offset, length -> hear(samples, offset, length, inSteps = true) }

    /** Milliseconds of the call that were heard. */
    val heardMs: Long get() = listener.samples * 1000 / Resampler.MODEL_RATE_HZ

    /** Hears the next samples, at the rate that was given last. */
    fun push(samples: FloatArray, length: Int): Unit = resampler.push(samples, 0, length, hear)

    /** The next samples have another rate. */
    fun changeRate(rateHz: Int) {
        resampler.flush(hear)
        resampler = Resampler(rateHz)
    }

    /** Ends the call: the face of all of it, or none where nothing was heard. */
    fun finish() {
        // Updates that the last samples would make due are not given apart: this face is newer.
        resampler.flush { samples, offset, length -> hear(samples, offset, length, inSteps = false) }
        if (listener.samples > 0) update(isFinal = true)
    }

    /** Steps through the detector's windows, so that updates fall on the same samples for any chunks. */
    private fun hear(samples: FloatArray, offset: Int, length: Int, inSteps: Boolean) {
        if (!inSteps) return listener.push(samples, offset, length)
        var read = 0
        while (read < length) {
            val window = SpeechDetector.WINDOW_SAMPLES
            val step = minOf(length - read, window - (listener.samples % window).toInt())
            listener.push(samples, offset + read, step)
            read += step
            if (listener.speechS >= dueS) {
                update(isFinal = false)
                dueS = listener.speechS + options.updateEverySpeechMs / 1000.0
            }
        }
    }

    private fun update(isFinal: Boolean) {
        val face = pipeline.face(listener.heard())
        val before = last
        state = when {
            face.confidence < Confidence.FLOOR -> CallState.LISTENING
            before != null && standsStill(face, before) && face.speechS >= STABLE_SPEECH_S -> CallState.STABLE
            else -> CallState.DRAFT
        }
        last = face
        update(face, state, isFinal)
    }

    private companion object {
        const val STABLE_SPEECH_S = 3.0

        /** Root mean square over the landmarks: an eighth of how far faces lie from the mean face. */
        const val STABLE_MOVE_PX = 0.5

        /** Root mean square over the pixels of a picture without landmarks: five steps of 255. */
        const val STABLE_CHANGE = 0.02

        /** Whether a face has hardly changed: its landmarks or, where it has none, its picture. */
        fun standsStill(face: Face, before: Face): Boolean {
            val points = face.landmarks
            val pointsBefore = before.landmarks
            if (points == null || pointsBefore == null) {
                return meanSquare(face.image.rgb, before.image.rgb) < STABLE_CHANGE * STABLE_CHANGE
            }
            return 2 * meanSquare(points, pointsBefore) < STABLE_MOVE_PX * STABLE_MOVE_PX
        }

        fun meanSquare(a: FloatArray, b: FloatArray): Double = a.indices.sumOf { (a[it].toDouble() - b[it]).let { d -> d * d } } / a.size
    }
}
