package voxtoon.voice

import kotlin.math.pow

/** What hears a 16 kHz signal, piece by piece. */
internal interface VoiceListener {
    /** Samples that came. */
    val samples: Long

    /** Seconds of speech in them. */
    val speechS: Double

    /** How often somebody else began to speak. */
    val otherVoices: Int

    /** Hears some more samples, any number of them. */
    fun push(chunk: FloatArray, offset: Int, length: Int)

    /** What was heard so far. */
    fun heard(): Heard
}

/** A sum of outputs of the encoder, and the sum of their weights. */
internal class WeightedMean(val total: DoubleArray, val weight: Double) {
    val mean: DoubleArray get() = DoubleArray(total.size) { total[it] / weight }

    operator fun plus(other: WeightedMean) = WeightedMean(DoubleArray(total.size) { total[it] + other.total[it] }, weight + other.weight)

    /** The same mean with another weight. */
    fun times(factor: Double) = WeightedMean(DoubleArray(total.size) { factor * total[it] }, factor * weight)
}

/**
 * Hears a call as talks, and each of them as the encoder hears a recording: each frame is computed once, and only where
 * somebody speaks.
 *
 * A talk begins [MARGIN] windows before its first speech and ends when no output of the encoder can see speech any more.
 * No frame of it is left out: speech detection weighs the encoder's outputs, by the square of the share of speech in what
 * each sees, and never cuts samples out of the encoder's grid. The feature is the head of the weighted mean over all
 * outputs of all talks. Until the talks that ended hold as much as half a clip, a talk shorter than a clip is heard as a
 * short recording is: repeated up to a clip.
 *
 * However the signal is cut into calls, what was heard is the same. Memory does not grow.
 *
 * @param clipFrames from a whole clip to its frames.
 */
internal class TalkListener(
    private val gate: SpeechGate,
    private val frontEnd: FrontEnd,
    private val parts: StreamingParts,
    private val clipFrames: (FloatArray) -> FloatArray,
) : VoiceListener {
    private class Talk(val recent: ArrayDeque<Int>, var outputs: WeightedMean) {
        var samples = 0L
        var silent = 0
        var clipSamples = 0
        var clipSpeech = 0
    }

    private val spec = frontEnd.spec
    private val encoder = StreamingEncoder(parts)
    private val seenWindows = ((parts.plan.firstOutputFrames - 1) * spec.hopSamples!! + spec.windowSamples!!).let { -Math.floorDiv(-it, WINDOW) }
    private val enoughWeight = parts.outputCount(spec.frameCount(spec.clipSamples)) / 2.0
    private val clip = FloatArray(spec.clipSamples)
    private val window = FloatArray(WINDOW)
    private val margin = ArrayDeque<FloatArray>()
    private var filled = 0
    private var count = 0
    private var speechWindows = 0
    private var soundWindows = 0
    private var ended = WeightedMean(DoubleArray(parts.outputSize), 0.0)
    private var line = Line()
    private val voices = VoiceChange()
    private var talk: Talk? = null

    override var samples = 0L
        private set

    override val speechS: Double get() = seconds(speechWindows)

    override val otherVoices: Int get() = voices.count

    override fun push(chunk: FloatArray, offset: Int, length: Int) {
        samples += length
        var read = 0
        while (read < length) {
            val piece = minOf(length - read, WINDOW - filled)
            System.arraycopy(chunk, offset + read, window, filled, piece)
            count += gate.push(chunk, offset + read, piece)
            read += piece
            filled += piece
            if (filled == WINDOW) {
                filled = 0
                hear(window, count)
                count = 0
            }
        }
    }

    override fun heard(): Heard {
        val talk = talk
        var outputs = ended
        var line = line
        if (talk != null && ended.weight < enoughWeight && talk.samples < clip.size) { // a draft
            val recording = recording(talk)
            val share = minOf(1.0, talk.clipSpeech * WINDOW / recording.size.toDouble()).pow(WEIGHT_POWER)
            outputs += encoderMean(recording).times(share)
            if (line.speech == 0) line = line.with(recording, talk.clipSpeech)
        } else if (talk != null) {
            outputs += talk.outputs
        }
        if (outputs.weight == 0.0) {
            val silence = FloatArray(clip.size)
            outputs = encoderMean(silence)
            line = Line().with(silence, 1)
        }
        return Heard(
            feature = parts.featureOf(outputs.mean),
            descriptor = DoubleArray(line.descriptor.size) { line.descriptor[it] / line.speech },
            speechS = speechS,
            soundS = seconds(soundWindows),
            narrowband = 2 * line.narrowband > line.speech,
        )
    }

    /** One window of 32 ms, which makes so many of them speech. */
    private fun hear(window: FloatArray, speech: Int) {
        speechWindows += speech
        if (isSound(window)) soundWindows++
        talk?.let { return hearTalk(it, window, speech) }
        if (margin.size == MARGIN + SpeechGate.LEAST_RUN) margin.removeFirst()
        margin += window.copyOf()
        if (speech == 0) return
        val begun = Talk(ArrayDeque(seenWindows), WeightedMean(DoubleArray(parts.outputSize), 0.0)).also { talk = it }
        frontEnd.reset()
        encoder.reset()
        margin.removeLast()
        for (earlier in margin) hearTalk(begun, earlier, 0)
        margin.clear()
        hearTalk(begun, window, speech)
    }

    private fun hearTalk(talk: Talk, window: FloatArray, speech: Int) {
        keep(talk, window)
        talk.clipSpeech += speech
        if (talk.recent.size == seenWindows) talk.recent.removeFirst()
        talk.recent += speech
        talk.silent = if (speech > 0) 0 else talk.silent + 1
        frontEnd.push(window, 0, WINDOW) { frame ->
            encoder.push(frame, 0) { output ->
                val share = minOf(1.0, talk.recent.sum() / seenWindows.toDouble())
                talk.outputs += WeightedMean(DoubleArray(output.size) { output[it].toDouble() }, 1.0).times(share.pow(WEIGHT_POWER))
                voices.add(output, share)
            }
        }
        if (talk.silent >= seenWindows) {
            closeClip(talk)
            ended += talk.outputs
            this.talk = null
        }
    }

    /** Remembers the clip that the talk is in: to repeat it, and to look at the line. */
    private fun keep(talk: Talk, window: FloatArray) {
        talk.samples += WINDOW
        var read = 0
        while (read < WINDOW) {
            val piece = minOf(WINDOW - read, clip.size - talk.clipSamples)
            System.arraycopy(window, read, clip, talk.clipSamples, piece)
            read += piece
            talk.clipSamples += piece
            if (talk.clipSamples == clip.size) closeClip(talk)
        }
    }

    private fun closeClip(talk: Talk) {
        if (talk.clipSpeech > 0) line = line.with(clip.copyOf(talk.clipSamples), talk.clipSpeech)
        talk.clipSamples = 0
        talk.clipSpeech = 0
    }

    /** A talk shorter than a clip, with samples that wait for their window, without a long silence. */
    private fun recording(talk: Talk): FloatArray {
        val end = (talk.samples - maxOf(0, talk.silent - MARGIN) * WINDOW).toInt()
        val waiting = if (talk.silent <= MARGIN) filled else 0
        val whole = clip.copyOf(end) + window.copyOf(waiting)
        return if (whole.size > clip.size) whole.copyOf(clip.size) else whole
    }

    /** What the encoder makes of a recording, repeated up to a clip; what the stream has computed of it is not computed again. */
    private fun encoderMean(recording: FloatArray): WeightedMean {
        val frames = clipFrames(tileClip(recording, recording.size, clip.size))
        val own = encoder.copy()
        if (own.frames > spec.frameCount(recording.size)) own.reset() // it is in the silence after the talk
        for (frame in own.frames until frames.size / parts.frameSize) own.push(frames, frame * parts.frameSize, null)
        return WeightedMean(own.total, own.count.toDouble())
    }

    /** Sums over the clips of a call, weighted by their speech: what tells of the line and of the domain. */
    private class Line(val descriptor: DoubleArray = DoubleArray(DESCRIPTOR_SIZE), val narrowband: Int = 0, val speech: Int = 0) {
        fun with(samples: FloatArray, speech: Int): Line {
            val found = domainDescriptor(samples)
            return Line(
                DoubleArray(descriptor.size) { descriptor[it] + speech * found[it] },
                narrowband + if (isNarrowband(samples)) speech else 0,
                this.speech + speech,
            )
        }
    }

    private companion object {
        const val WINDOW = SpeechDetector.WINDOW_SAMPLES

        /** What is heard before the first and after the last speech of a talk: 256 ms, the rise and fall of a word. */
        const val MARGIN = 8
        const val WEIGHT_POWER = 2
    }
}
