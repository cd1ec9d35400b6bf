package voxtoon.voice

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.sin
import kotlin.math.sqrt
import voxtoon.InputException

/** Takes samples as they become complete; the array is the caller's and changes after the call. */
public fun interface SampleSink {
    /** The next samples: [length] of the array's, from [offset] on. */
    public fun take(samples: FloatArray, offset: Int, length: Int)
}

/**
 * Converts a stream from one rate to another by a polyphase filter: a sinc under a Kaiser window.
 *
 * Flat up to 0.913 of the lower Nyquist frequency, half at 0.9565, and below -125 dB from that frequency on: the band that
 * soxr's HQ filter has, which the Python runtime uses. However a signal is cut into calls, its output is the same to the
 * bit, and no call allocates. Equal rates pass samples through untouched.
 *
 * @throws InputException when a rate is not from 4,000 to 384,000 Hz.
 */
public class Resampler @JvmOverloads constructor(fromHz: Int, toHz: Int = MODEL_RATE_HZ) {
    private val up: Int
    private val down: Int
    private val filter: PhaseFilter?
    private val held: FloatArray
    private val output = FloatArray(BLOCK)

    // The next output lies `at + phase / up` samples after the first one held; `reach` zeros lie before the signal.
    private var at = 0
    private var phase = 0
    private var count = 0
    private var taken = 0L
    private var given = 0L
    private val reach: Int

    init {
        for (rate in intArrayOf(fromHz, toHz)) {
            if (rate !in LOWEST_RATE_HZ..HIGHEST_RATE_HZ) {
                throw InputException("sample rate", got = "$rate Hz", expected = "a whole number from $LOWEST_RATE_HZ to $HIGHEST_RATE_HZ Hz")
            }
        }
        val divisor = greatestCommonDivisor(fromHz, toHz)
        up = toHz / divisor
        down = fromHz / divisor
        filter = if (up == down) null else PhaseFilter(up, minOf(1.0, toHz.toDouble() / fromHz))
        reach = filter?.reach ?: 0
        held = FloatArray(if (filter == null) 0 else 2 * reach + BLOCK + down / up + 1)
        reset()
    }

    /** Forgets what was pushed. */
    public fun reset() {
        at = reach
        phase = 0
        count = reach
        held.fill(0f, 0, count)
        taken = 0
        given = 0
    }

    /**
     * Gives [sink] the output that these samples complete.
     *
     * @throws InputException when a sample is not finite; nothing is taken then.
     */
    public fun push(samples: FloatArray, offset: Int, length: Int, sink: SampleSink) {
        checkFinite(samples, offset, length)
        if (filter == null) return sink.take(samples, offset, length)
        taken += length
        convert(samples, offset, length, Long.MAX_VALUE, sink)
    }

    /** Gives [sink] the rest of the output, after which the next push starts a new signal. */
    public fun flush(sink: SampleSink) {
        if (filter != null) {
            val whole = (2 * taken * up + down) / (2L * down) // the nearest number of samples, halves up
            val silence = FloatArray(BLOCK)
            while (given < whole) convert(silence, 0, silence.size, whole, sink)
        }
        reset()
    }

    private fun convert(samples: FloatArray, offset: Int, length: Int, mostGiven: Long, sink: SampleSink) {
        val filter = filter!!
        var read = 0
        while (read < length) {
            val piece = minOf(length - read, held.size - count)
            System.arraycopy(samples, offset + read, held, count, piece)
            read += piece
            count += piece
            var made = 0
            while (at + reach < count && given < mostGiven) {
                output[made++] = filter.apply(held, at - reach + 1, phase)
                given++
                at += down / up
                phase += down % up
                if (phase >= up) {
                    phase -= up
                    at++
                }
                if (made == output.size) {
                    sink.take(output, 0, made)
                    made = 0
                }
            }
            if (made > 0) sink.take(output, 0, made)
            discard(minOf(at - reach + 1, count))
        }
    }

    /** Moves what further outputs still need to the start. */
    private fun discard(samples: Int) {
        System.arraycopy(held, samples, held, 0, count - samples)
        count -= samples
        at -= samples
    }

    public companion object {
        /** What the networks hear. */
        public const val MODEL_RATE_HZ: Int = 16_000
        internal const val LOWEST_RATE_HZ = 4_000
        internal const val HIGHEST_RATE_HZ = 384_000
        private const val BLOCK = 1024

        private tailrec fun greatestCommonDivisor(a: Int, b: Int): Int = if (b == 0) a else greatestCommonDivisor(b, a % b)
    }
}

/**
 * The impulse response at each of the places that an output can have between two inputs.
 *
 * Rates with a small common denominator have each phase exactly; others (47,999 Hz) lie between two of 1024 phases, which
 * a straight line joins to within -118 dB.
 */
internal class PhaseFilter(private val up: Int, rateRatio: Double) {
    private val isExact = up <= MOST_EXACT_PHASES
    private val phases = if (isExact) up else INTERPOLATED_PHASES
    private val cutoff = CUTOFF * rateRatio
    private val halfWidth = HALF_WIDTH / rateRatio

    /** Inputs on either side that an output sees. */
    val reach = ceil(halfWidth).toInt()
    private val taps = Array(phases + if (isExact) 0 else 1) { phase -> DoubleArray(2 * reach) { response(phase.toDouble() / phases + reach - 1 - it) } }

    /** The output at [phase] of `up`, of the `2 reach` samples from [first] on. */
    fun apply(samples: FloatArray, first: Int, phase: Int): Float {
        if (isExact) return product(samples, first, taps[phase]).toFloat()
        val place = phase.toDouble() / up * phases
        val below = place.toInt()
        val low = product(samples, first, taps[below])
        val high = product(samples, first, taps[below + 1])
        return (low + (place - below) * (high - low)).toFloat()
    }

    /** Four sums at once, which need not wait for each other. */
    private fun product(samples: FloatArray, first: Int, taps: DoubleArray): Double {
        var a = 0.0
        var b = 0.0
        var c = 0.0
        var d = 0.0
        var k = 0
        while (k + 3 < taps.size) {
            a += taps[k] * samples[first + k]
            b += taps[k + 1] * samples[first + k + 1]
            c += taps[k + 2] * samples[first + k + 2]
            d += taps[k + 3] * samples[first + k + 3]
            k += 4
        }
        while (k < taps.size) {
            a += taps[k] * samples[first + k]
            k++
        }
        return (a + b) + (c + d)
    }

    private fun response(distance: Double): Double {
        val share = distance / halfWidth
        if (abs(share) >= 1) return 0.0
        val angle = PI * cutoff * distance
        val sinc = if (angle == 0.0) 1.0 else sin(angle) / angle
        return cutoff * sinc * bessel(KAISER_BETA * sqrt(1 - share * share)) / WINDOW_PEAK
    }

    private companion object {
        const val MOST_EXACT_PHASES = 640
        const val INTERPOLATED_PHASES = 1024
        // Fitted to what soxr's HQ filter does, so that a voice has the same frames here as in Python: outputs agree to 1e-7.
        const val CUTOFF = 0.956872 // half way between the pass band, to 0.913, and the stop band
        const val HALF_WIDTH = 97.25 // samples of the lower rate
        const val KAISER_BETA = 13.04
        val WINDOW_PEAK = bessel(KAISER_BETA)

        /** The modified Bessel function of the first kind and order 0, by its series. */
        fun bessel(x: Double): Double {
            val quarter = x * x / 4
            var term = 1.0
            var sum = 1.0
            var k = 1
            while (term > sum * 1e-17) {
                term *= quarter / (k.toDouble() * k)
                sum += term
                k++
            }
            return sum
        }
    }
}
