package voxtoon.voice

import kotlin.math.acos
import kotlin.math.sqrt

/**
 * When a face has settled: its feature has stopped moving.
 *
 * After 3 s of speech, once it lies within 8 degrees of every feature of the last second of speech and of the one before
 * them.
 */
internal class Settling {
    private class Past(val speechS: Double, val feature: FloatArray)

    private val past = ArrayDeque<Past>()

    /** Whether this feature, heard after so much speech, is one that has settled; it is remembered. */
    fun settled(feature: FloatArray, speechS: Double): Boolean {
        while (past.size > 1 && past[1].speechS <= speechS - LOOK_BACK_S) past.removeFirst()
        val isFarEnough = past.isNotEmpty() && past.first().speechS <= speechS - LOOK_BACK_S
        val isNear = past.all { angleDeg(feature, it.feature) <= STABLE_ANGLE_DEG }
        past += Past(speechS, feature)
        return isFarEnough && isNear && speechS >= STABLE_SPEECH_S
    }

    private companion object {
        const val STABLE_SPEECH_S = 3.0
        const val STABLE_ANGLE_DEG = 8.0
        const val LOOK_BACK_S = 1.0
    }
}

/**
 * Notices that somebody else speaks: the mean of the encoder's last four outputs points elsewhere than that of all before.
 *
 * It tells that voices differ, and never whose they are.
 */
internal class VoiceChange {
    private val recent = ArrayDeque<FloatArray>()
    private var past = FloatArray(0)
    private var pastOutputs = 0

    /** How often another voice was noticed. */
    var count = 0
        private set

    /** Hears the next output, which saw so much speech; outputs of little speech tell nothing. */
    fun add(output: FloatArray, speechShare: Double) {
        if (speechShare < LEAST_SPEECH_SHARE) return
        if (recent.size == RECENT_OUTPUTS) {
            past = sum(past, recent.removeFirst())
            pastOutputs++
        }
        recent += output
        if (pastOutputs < LEAST_PAST_OUTPUTS) return
        val now = recent.reduce(::sum)
        if (angleDeg(now, past) > CHANGE_ANGLE_DEG) {
            count++
            past = now
            pastOutputs = RECENT_OUTPUTS
            recent.clear()
        }
    }

    private fun sum(a: FloatArray, b: FloatArray): FloatArray = if (a.isEmpty()) b else FloatArray(b.size) { a[it] + b[it] }

    private companion object {
        const val CHANGE_ANGLE_DEG = 58.0
        const val RECENT_OUTPUTS = 4
        const val LEAST_PAST_OUTPUTS = 2
        const val LEAST_SPEECH_SHARE = 0.5
    }
}

/** Angle between two features, in degrees; 0 where one of them is zero. */
internal fun angleDeg(a: FloatArray, b: FloatArray): Double {
    var product = 0.0
    var squareA = 0.0
    var squareB = 0.0
    for (i in a.indices) {
        product += a[i].toDouble() * b[i]
        squareA += a[i].toDouble() * a[i]
        squareB += b[i].toDouble() * b[i]
    }
    val sizes = sqrt(squareA) * sqrt(squareB)
    return if (sizes == 0.0) 0.0 else Math.toDegrees(acos((product / sizes).coerceIn(-1.0, 1.0)))
}
