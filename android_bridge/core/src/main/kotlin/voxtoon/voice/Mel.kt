package voxtoon.voice

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.log10
import kotlin.math.pow
import voxtoon.InputException

/** Mel of a frequency: 2595 log10(1 + f / 700), O'Shaughnessy's formula as HTK uses it. */
internal fun hzToMel(frequencyHz: Double): Double = 2595.0 * log10(1.0 + frequencyHz / 700.0)

private fun melToHz(mel: Double): Double = 700.0 * (10.0.pow(mel / 2595.0) - 1.0)

/** Frequencies equally spaced in mel: the lower edge of the first band, all peaks, the upper edge of the last. */
internal fun melEdges(bins: Int, lowHz: Double, highHz: Double): DoubleArray {
    val low = hzToMel(lowHz)
    val high = hzToMel(highHz)
    return DoubleArray(bins + 2) { low + (high - low) * it / (bins + 1) }
}

/**
 * Triangular mel bands of a power spectrum, each with its peak at 1, summed over their non-zero weights only.
 *
 * @throws InputException when a band is so narrow that no spectral bin falls into it.
 */
internal class MelBands(bins: Int, lowHz: Double, highHz: Double, sampleRateHz: Int, fftSamples: Int) {
    private val start = IntArray(bins)
    private val weights: Array<DoubleArray>

    init {
        val edges = melEdges(bins, lowHz, highHz).map(::melToHz)
        val binHz = sampleRateHz.toDouble() / fftSamples
        weights = Array(bins) { band ->
            val (low, peak, high) = edges.subList(band, band + 3)
            val first = floor(low / binHz).toInt() + 1
            val weight = DoubleArray(ceil(high / binHz).toInt() - first) { k ->
                val hz = (first + k) * binHz
                maxOf(0.0, minOf((hz - low) / (peak - low), (high - hz) / (high - peak)))
            }
            if (weight.none { it > 0 }) throw InputException("mel band $band of $bins holds no spectral bin", hint = "ask for fewer mel bins or a longer FFT")
            start[band] = first
            weight
        }
    }

    /** The power in a band. */
    fun power(band: Int, spectrum: DoubleArray): Double {
        val weight = weights[band]
        val first = start[band]
        var sum = 0.0
        for (k in weight.indices) sum += weight[k] * spectrum[first + k]
        return sum
    }
}
