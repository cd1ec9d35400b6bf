package voxtoon.voice

import kotlin.math.PI
import kotlin.math.cos
import voxtoon.InputException
import voxtoon.bundle.FrontEndKind
import voxtoon.bundle.FrontEndSpec

/** Takes frames as they become complete; the array is the caller's and changes after the call. */
public fun interface FrameSink {
    /** The next frame. */
    public fun take(frame: FloatArray)
}

/**
 * Turns samples into frames, as many as are complete, and keeps the rest for the next call.
 *
 * However a signal is cut into calls, its frames are the same to the bit, and no call allocates.
 *
 * @param spec of a spectral kind.
 */
public class FrontEnd(internal val spec: FrontEndSpec) {
    private val windowSamples = given(spec.windowSamples)
    private val hop = given(spec.hopSamples)
    private val window = DoubleArray(windowSamples) { (0.5 - 0.5 * cos(2 * PI * it / windowSamples)) / spec.inputScale }
    private val held = DoubleArray(windowSamples + BLOCK_HOPS * hop)
    private val fft = RealFft(given(spec.fftSamples))
    private val padded = DoubleArray(given(spec.fftSamples))
    private val re = DoubleArray(padded.size / 2 + 1)
    private val im = DoubleArray(re.size)
    private val frame = FloatArray(spec.frameSize)
    private val kernel: (() -> Unit) = if (spec.kind == FrontEndKind.LOG_MEL) LogMel() else ComplexPower()
    private var count = 0

    /** Forgets the samples kept from earlier calls. */
    public fun reset() {
        count = 0
    }

    /**
     * Gives [sink] the frames that these samples complete.
     *
     * @param samples mono, at the spec's rate; [length] of them from [offset] on.
     * @throws InputException when a sample is not finite; nothing is taken then.
     */
    public fun push(samples: FloatArray, offset: Int, length: Int, sink: FrameSink) {
        checkFinite(samples, offset, length)
        var read = 0
        while (read < length) {
            val piece = minOf(length - read, held.size - count)
            for (i in 0 until piece) held[count + i] = samples[offset + read + i].toDouble()
            read += piece
            count += piece
            var start = 0
            while (start + windowSamples <= count) {
                transform(start)
                sink.take(frame)
                start += hop
            }
            System.arraycopy(held, start, held, 0, count - start)
            count -= start
        }
    }

    /** The frames of a whole signal, one after the other. */
    public fun frames(samples: FloatArray): FloatArray {
        val all = FloatArray(spec.frameCount(samples.size) * spec.frameSize)
        var at = 0
        reset()
        push(samples, 0, samples.size) {
            System.arraycopy(it, 0, all, at, it.size)
            at += it.size
        }
        return all
    }

    private fun transform(start: Int) {
        for (i in 0 until windowSamples) padded[i] = held[start + i] * window[i]
        fft.transform(padded, re, im)
        kernel()
    }

    private inner class ComplexPower : () -> Unit {
        private val powerLaw = PowerLaw(given(spec.exponent))

        override fun invoke() {
            for (bin in re.indices) {
                frame[2 * bin] = powerLaw.of(re[bin].toFloat())
                frame[2 * bin + 1] = powerLaw.of(im[bin].toFloat())
            }
        }
    }

    private inner class LogMel : () -> Unit {
        private val bands = MelBands(given(spec.melBins), given(spec.melLowHz), given(spec.melHighHz), spec.sampleRateHz, padded.size)
        private val power = DoubleArray(re.size)
        private val floor = given(spec.melFloor)
        private val offset = given(spec.logOffset)
        private val scale = given(spec.logScale)

        override fun invoke() {
            for (bin in re.indices) power[bin] = re[bin] * re[bin] + im[bin] * im[bin]
            for (band in frame.indices) frame[band] = ((NaturalLog.of(maxOf(bands.power(band, power), floor)) + offset) * scale).toFloat()
        }
    }

    private companion object {
        const val BLOCK_HOPS = 16

        /** A field of the spec's own kind, which the spec has checked to be there. */
        fun <T : Any> given(value: T?): T = value ?: throw InputException("front end of kind waveform", hint = "use Waveform")
    }
}

/** Refuses samples among which one is not finite. */
internal fun checkFinite(samples: FloatArray, offset: Int, length: Int) {
    if (offset < 0 || length < 0 || offset + length > samples.size) {
        throw InputException("samples", got = "$length from $offset on", expected = "a part of the ${samples.size} there are")
    }
    for (i in offset until offset + length) {
        if (!(samples[i] - samples[i] == 0f)) {
            throw InputException("samples: NaN or infinity", got = "${samples[i]} at sample ${i - offset}", expected = "finite numbers")
        }
    }
}
