package voxtoon.voice

import kotlin.math.exp
import kotlin.math.ln
import kotlin.math.pow
import kotlin.math.sqrt
import voxtoon.bundle.Domain
import voxtoon.bundle.FrontEndSpec

/** Why a confidence is what it is. */
public enum class Reason {
    /** The confidence reaches the floor. */
    OK,

    /** Less than a second of speech was heard. */
    TOO_LITTLE_SPEECH,

    /** There was sound, and hardly any of it speech. */
    NOT_SPEECH,

    /** The voice is far from those that the model was trained on. */
    UNLIKE_TRAINING,
}

/** How far a face can be trusted, from 0 to 1, and why not further. */
public class Confidence internal constructor(public val value: Double, public val reason: Reason) {
    public companion object {
        /** Below this a face is not shown: the avatar is the neutral one. */
        public const val FLOOR: Double = 0.3
        internal const val LEAST_SPEECH_S = 1.0
        private const val ENOUGH_SPEECH_S = 3.0
        private const val FIRST_VALUE = 0.4
        private const val NOT_SPEECH_S = 1.0

        /**
         * `speech * domain`: 0.4 at one second of speech, to the nearest window, and 1 from three on; 1 up to the distance
         * that 99 % of the training voices keep, and 0 from twice that on.
         */
        internal fun of(speechS: Double, soundS: Double, distance: Double?, distanceP99: Double?): Confidence {
            if (!isReached(speechS, LEAST_SPEECH_S)) {
                return Confidence(0.0, if (soundS - speechS >= NOT_SPEECH_S) Reason.NOT_SPEECH else Reason.TOO_LITTLE_SPEECH)
            }
            val heard = minOf((speechS - LEAST_SPEECH_S) / (ENOUGH_SPEECH_S - LEAST_SPEECH_S), 1.0)
            val speech = FIRST_VALUE + (1 - FIRST_VALUE) * heard
            val domain = if (distance == null || distanceP99 == null) 1.0 else (2.0 - distance / maxOf(distanceP99, 1e-12)).coerceIn(0.0, 1.0)
            val value = speech * domain
            return Confidence(value, if (value < FLOOR) Reason.UNLIKE_TRAINING else Reason.OK)
        }
    }
}

/** Mahalanobis distance of a descriptor from the training voices. */
internal fun Domain.distance(descriptor: DoubleArray): Double = sqrt(
    whitener.sumOf { row ->
        var sum = 0.0
        for (i in row.indices) sum += row[i] * (descriptor[i] - mean[i])
        sum * sum
    },
)

private const val BANDS_PER_GROUP = 2
private const val GATE_DB = 30.0 // frames this far below the loud ones are pauses
private const val LEVEL = 0.1 // level the loud frames are brought to, so that the floor of the front end never shows
private const val SILENCE_DB = -60.0
private const val LEVEL_SAMPLES = 160

internal const val DESCRIPTOR_SIZE = 40

/** Name of [domainDescriptor] in a manifest. */
internal const val DESCRIPTOR = "log_mel_mean_std"

/**
 * Long-term spectrum of a voice and its liveliness, independent of level and bandwidth: of 20 bands between 300 and
 * 3400 Hz the mean over the loud frames, less their overall mean, and the standard deviation.
 */
internal fun domainDescriptor(samples: FloatArray): DoubleArray {
    val spec = FrontEndSpec.logMel
    val gain = (LEVEL / maxOf(loud(levels(samples, samples.size)), 1e-6)).toFloat()
    val frames = FrontEnd(spec).frames(FloatArray(samples.size) { samples[it] * gain })
    val bins = spec.melBins!!
    val scale = spec.logScale!!
    val bands = telephoneBands()
    val groups = bands.count() / BANDS_PER_GROUP
    val rows = frames.size / bins
    val grouped = Array(rows) { DoubleArray(groups) }
    val loudness = DoubleArray(rows) { row ->
        for (group in 0 until groups) {
            var sum = 0.0
            for (k in 0 until BANDS_PER_GROUP) sum += frames[row * bins + bands.first + group * BANDS_PER_GROUP + k] / scale
            grouped[row][group] = sum / BANDS_PER_GROUP
        }
        var power = 0.0
        for (bin in 0 until bins) power += exp(frames[row * bins + bin] / scale)
        ln(power / bins)
    }
    val gate = loud(loudness) - GATE_DB * ln(10.0) / 10
    val kept = grouped.filterIndexed { row, _ -> loudness[row] >= gate }
    val mean = DoubleArray(groups) { group -> kept.sumOf { it[group] } / kept.size }
    val overall = mean.average()
    val deviation = DoubleArray(groups) { group -> sqrt(kept.sumOf { (it[group] - mean[group]).pow(2) } / kept.size) }
    return DoubleArray(groups) { mean[it] - overall } + deviation
}

/** Seconds of a 16 kHz signal, in steps of 10 ms, louder than -60 dB of full scale. */
internal fun soundSeconds(samples: FloatArray, length: Int): Double =
    levels(samples, length).count { it > 10.0.pow(SILENCE_DB / 20) } / 100.0

/** Whether a signal is louder than -60 dB of full scale. */
internal fun isSound(samples: FloatArray): Boolean {
    var energy = 0.0
    for (sample in samples) energy += sample.toDouble() * sample
    return energy > 10.0.pow(SILENCE_DB / 10) * samples.size
}

private fun telephoneBands(): IntRange {
    val spec = FrontEndSpec.logMel
    val peaks = melEdges(spec.melBins!!, spec.melLowHz!!, spec.melHighHz!!).let { it.copyOfRange(1, it.size - 1) }
    val first = peaks.count { it < hzToMel(300.0) }
    val end = peaks.count { it < hzToMel(3400.0) }
    return first until end - (end - first) % BANDS_PER_GROUP
}

/** Root mean square of each 10 ms. */
private fun levels(samples: FloatArray, length: Int) = DoubleArray(length / LEVEL_SAMPLES) { hop ->
    var sum = 0.0
    for (i in hop * LEVEL_SAMPLES until (hop + 1) * LEVEL_SAMPLES) sum += samples[i].toDouble() * samples[i]
    sqrt(sum / LEVEL_SAMPLES)
}

/** The value that a twentieth of the others exceed. */
private fun loud(values: DoubleArray): Double = values.sortedArray()[(0.95 * (values.size - 1)).toInt()]
