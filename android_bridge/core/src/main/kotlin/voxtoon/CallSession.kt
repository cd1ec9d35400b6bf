package voxtoon

import voxtoon.face.Face
import voxtoon.voice.Confidence
import voxtoon.voice.Resampler
import voxtoon.voice.SampleSink
import voxtoon.voice.Settling
import voxtoon.voice.SpeechDetector
import voxtoon.voice.angleDeg
import voxtoon.voice.isReached

/** Where a call stands. */
public enum class CallState {
    /** Before the first face worth showing. */
    LISTENING,

    /** There is a face, and it still changes. */
    DRAFT,

    /** After 3 s of speech, once the feature has stopped moving; it may become a draft again. */
    STABLE,

    /** The engine failed in the middle of the call, which is over. */
    FAILED,
}

/** A face that became due. */
internal class NewFace(
    val face: Face,
    val state: CallState,
    val heardMs: Long,
    val angleDeg: Double?,
    val hasSecondVoice: Boolean,
    val isFinal: Boolean,
)

/**
 * Faces of a call, one for each further stretch of speech, or of a recording, one at its end; memory does not grow.
 *
 * For one thread. However the call is cut into chunks, the faces are the same, and the last one is that of the whole call.
 */
internal class CallSession(
    private val pipeline: Pipeline,
    private val options: Options,
    private var rateHz: Int,
    private val isRecording: Boolean,
    private val told: (NewFace) -> Unit,
) {
    private val listener = if (isRecording) pipeline.listener() else pipeline.callListener()
    private val settling = Settling()
    private var resampler = Resampler(rateHz)
    private var dueS = options.firstUpdateSpeechMs / 1000.0
    private var last: Face? = null
    private var voicesTold = 0
    private var skippedS = 0.0
    private val hear = SampleSink { samples, offset, length -> hear(samples, offset, length, inSteps = true) }

    /** Milliseconds of the call that were heard or skipped. */
    val heardMs: Long get() = (1000.0 * listener.samples / Resampler.MODEL_RATE_HZ + 1000 * skippedS).toLong()

    /** Hears the next samples, at the rate that was given last. */
    fun push(samples: FloatArray, length: Int): Unit = resampler.push(samples, 0, length, hear)

    /** So much of the call is missing: it is heard as silence until every talk has ended, and the rest is skipped. */
    fun skip(missingS: Double) {
        val heardS = minOf(missingS, LONGEST_GAP_S)
        skippedS += missingS - heardS
        var left = Math.rint(heardS * rateHz).toInt()
        while (left > 0) {
            val piece = minOf(left, SILENCE.size)
            resampler.push(SILENCE, 0, piece, hear)
            left -= piece
        }
    }

    /** The next samples have another rate. */
    fun changeRate(rateHz: Int) {
        this.rateHz = rateHz
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
            if (!isRecording && isReached(listener.speechS, dueS)) {
                update(isFinal = false)
                dueS = listener.speechS + options.updateEverySpeechMs / 1000.0
            }
        }
    }

    private fun update(isFinal: Boolean) {
        val face = pipeline.face(listener.heard())
        val settled = settling.settled(face.feature, face.speechS)
        val state = when {
            face.confidence < Confidence.FLOOR -> CallState.LISTENING
            settled -> CallState.STABLE
            else -> CallState.DRAFT
        }
        val before = last
        val hasSecondVoice = listener.otherVoices > voicesTold
        last = face
        voicesTold = listener.otherVoices
        told(NewFace(face, state, heardMs, before?.let { angleDeg(face.feature, it.feature) }, hasSecondVoice, isFinal))
    }

    private companion object {
        const val LONGEST_GAP_S = 3.0
        val SILENCE = FloatArray(1024)
    }
}
