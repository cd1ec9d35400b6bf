package voxtoon.voice

import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** Takes the probability of speech in each window of 512 samples. */
public fun interface ProbabilitySink {
    /** The probability of the next window. */
    public fun take(probability: Float)
}

/**
 * Probability of speech in each window of 512 samples at 16 kHz, by the Silero network of a bundle.
 *
 * The network sees each window with the 64 samples before it. Without them it runs too, and silently misses speech; so
 * they are kept here beside its memory.
 */
public class SpeechDetector(private val session: Session) {
    private val input = Tensor.zeros(longArrayOf(1, CONTEXT_SAMPLES + WINDOW_SAMPLES.toLong()))
    private var memory = Tensor.zeros(MEMORY_SHAPE)
    private var filled = CONTEXT_SAMPLES

    /** Forgets what was heard. */
    public fun reset() {
        input.values.fill(0f)
        memory = Tensor.zeros(MEMORY_SHAPE)
        filled = CONTEXT_SAMPLES
    }

    /** Gives [sink] the probabilities of the windows that these samples complete, the same ones for any chunks. */
    public fun push(samples: FloatArray, offset: Int, length: Int, sink: ProbabilitySink) {
        checkFinite(samples, offset, length)
        var read = 0
        while (read < length) {
            val piece = minOf(length - read, input.values.size - filled)
            System.arraycopy(samples, offset + read, input.values, filled, piece)
            read += piece
            filled += piece
            if (filled == input.values.size) {
                val outputs = session.run(mapOf("input" to input, "memory" to memory))
                memory = outputs.getValue("next_memory")
                System.arraycopy(input.values, WINDOW_SAMPLES, input.values, 0, CONTEXT_SAMPLES)
                filled = CONTEXT_SAMPLES
                sink.take(outputs.getValue("output").values[0])
            }
        }
    }

    public companion object {
        /** New samples of each window. */
        public const val WINDOW_SAMPLES: Int = 512
        internal const val CONTEXT_SAMPLES = 64
        private val MEMORY_SHAPE = longArrayOf(2, 1, 128)
    }
}

/** Seconds in so many windows of the detector. */
internal fun seconds(windows: Int): Double = windows * SpeechDetector.WINDOW_SAMPLES / Resampler.MODEL_RATE_HZ.toDouble()

/** Whether speech, which is counted in windows, has reached a limit: at the count that is nearest to it, so that a second is 31 of them. */
internal fun isReached(speechS: Double, limitS: Double): Boolean = speechS + seconds(1) / 2 >= limitS
