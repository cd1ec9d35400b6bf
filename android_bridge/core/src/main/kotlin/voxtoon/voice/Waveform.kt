package voxtoon.voice

import kotlin.math.abs
import kotlin.math.floor
import voxtoon.InputException
import voxtoon.bundle.FrontEndSpec

private const val FULL_SCALE_16_BIT = 32768.0

/**
 * The front end of systems that hear the waveform itself, a whole window at a time: peak to 1, then pre-emphasis.
 *
 * With division in whole numbers, rounded down, negative samples become -1, the peak 1 if it is positive, and all others 0.
 *
 * @param spec of the kind waveform.
 */
public class Waveform(private val spec: FrontEndSpec) {
    /** The frames of one window of exactly `clipSamples`; of silence, zeros. */
    public fun frames(samples: FloatArray): FloatArray {
        if (samples.size != spec.clipSamples) throw InputException("samples of a window", got = samples.size, expected = spec.clipSamples)
        checkFinite(samples, 0, samples.size)
        val normal = normalised(DoubleArray(samples.size) { samples[it] / spec.inputScale })
        val emphasis = spec.preEmphasis ?: 0.0
        return FloatArray(normal.size) { (normal[it] - if (it == 0) 0.0 else emphasis * normal[it - 1]).toFloat() }
    }

    private fun normalised(window: DoubleArray): DoubleArray {
        val inWholeNumbers = spec.wholeNumberDivision == true
        if (inWholeNumbers) for (i in window.indices) window[i] = Math.rint(window[i] * FULL_SCALE_16_BIT)
        val peak = window.maxOf(::abs)
        if (peak == 0.0) return window
        for (i in window.indices) window[i] = (window[i] / peak).let { if (inWholeNumbers) floor(it) else it }
        return window
    }
}

/** From a whole clip to its frames, whatever the kind of the front end. */
internal fun clipFrames(spec: FrontEndSpec): (FloatArray) -> FloatArray =
    if (spec.windowSamples == null) Waveform(spec)::frames else FrontEnd(spec)::frames

/** A clip of exactly [clipSamples]: repeated sample by sample if shorter, as the Speech2Face paper does, cut if longer. */
internal fun tileClip(samples: FloatArray, length: Int, clipSamples: Int): FloatArray {
    if (length == 0) throw InputException("no samples to tile to a clip", hint = "give at least one sample")
    return FloatArray(clipSamples) { samples[it % length] }
}
