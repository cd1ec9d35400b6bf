package voxtoon.voice

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.floor
import kotlin.math.log10

private const val NARROWBAND_DB = -55.0
private const val WINDOW = 512
private const val HZ_PER_BIN = 16_000.0 / WINDOW

// Dithered rounding to 16 bits has three times the power of plain rounding, which is 1/12 of a step squared.
private const val ROUNDING_POWER = 4.0 / 12 / 32768 / 32768

// Clicks and clipping fill every band for a moment, speech does so for more than a fifth of the time.
private const val QUANTILE = 0.8

/** Whether a 16 kHz signal was sampled at 8 kHz before, as on a telephone line; see [upperBandDb]. */
internal fun isNarrowband(samples: FloatArray): Boolean = upperBandDb(samples) < NARROWBAND_DB

/**
 * Power between 4.2 and 7.8 kHz relative to that between 0.3 and 3.8 kHz, in decibels, at least -200.
 *
 * In each bin what is exceeded a fifth of the time counts, less what rounding to 16 bits may have added. Where the speech
 * band holds nothing beyond that, 0: silence tells nothing about the line.
 */
internal fun upperBandDb(samples: FloatArray): Double {
    val spectrum = typicalPower(samples)
    val speech = band(spectrum, 300.0, 3_800.0)
    val upper = band(spectrum, 4_200.0, 7_800.0)
    return if (speech > 0) 10 * log10(maxOf(upper / speech, 1e-20)) else 0.0
}

private fun band(spectrum: DoubleArray, lowHz: Double, highHz: Double): Double {
    val first = Math.rint(lowHz / HZ_PER_BIN).toInt()
    val last = Math.rint(highHz / HZ_PER_BIN).toInt()
    return (first..last).sumOf { maxOf(spectrum[it] - ROUNDING_POWER, 0.0) }
}

/** Power of each bin that half-overlapping Hann windows exceed a fifth of the time; white noise of power 1 has mean 1. */
private fun typicalPower(samples: FloatArray): DoubleArray {
    val hann = DoubleArray(WINDOW) { 0.5 - 0.5 * cos(2 * PI * it / WINDOW) }
    val energy = hann.sumOf { it * it }
    val length = maxOf(samples.size, WINDOW)
    val windows = (length - WINDOW) / (WINDOW / 2) + 1
    val bins = WINDOW / 2 + 1
    val power = Array(bins) { DoubleArray(windows) }
    val fft = RealFft(WINDOW)
    val signal = DoubleArray(WINDOW)
    val re = DoubleArray(bins)
    val im = DoubleArray(bins)
    for (window in 0 until windows) {
        for (i in 0 until WINDOW) {
            val at = window * WINDOW / 2 + i
            signal[i] = if (at < samples.size) samples[at] * hann[i] else 0.0
        }
        fft.transform(signal, re, im)
        for (bin in 0 until bins) power[bin][window] = (re[bin] * re[bin] + im[bin] * im[bin]) / energy
    }
    return DoubleArray(bins) { quantile(power[it]) }
}

/** The value at [QUANTILE], between two neighbours by a straight line. */
internal fun quantile(values: DoubleArray): Double {
    val place = QUANTILE * (values.size - 1)
    val below = floor(place).toInt()
    val value = select(values, below)
    var next = if (below + 1 < values.size) values[below + 1] else value
    for (i in below + 1 until values.size) next = minOf(next, values[i])
    return value + (next - value) * (place - below)
}

/** The [rank]-th smallest, put into its place: none before it is larger, none after it smaller (Hoare's selection). */
private fun select(values: DoubleArray, rank: Int): Double {
    var first = 0
    var last = values.size - 1
    while (first < last) {
        val pivot = values[(first + last) ushr 1]
        var low = first
        var high = last
        while (low <= high) {
            while (values[low] < pivot) low++
            while (values[high] > pivot) high--
            if (low <= high) {
                val swapped = values[low]
                values[low++] = values[high]
                values[high--] = swapped
            }
        }
        if (rank <= high) last = high else if (rank >= low) first = low else break
    }
    return values[rank]
}
