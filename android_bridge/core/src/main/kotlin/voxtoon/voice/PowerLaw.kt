package voxtoon.voice

import kotlin.math.pow

/**
 * `sgn(x) |x|^exponent` by a table of lines, one for each value of the top 15 bits of |x|, as in the Python runtime.
 *
 * Within such a cell (one exponent, seven bits of the mantissa) a power is nearly straight: for 0.3 the line is off by
 * less than one millionth. Zeros and subnormal numbers give zero.
 */
internal class PowerLaw(exponent: Double) {
    // Slope and offset of a cell are neighbours: one line of the cache holds both.
    private val lines = FloatArray(2 * CELLS).also { fill(it, exponent) }

    fun of(x: Float): Float {
        val bits = x.toRawBits()
        val cell = bits ushr 15 and 0xFFFE // twice the top bits without the sign
        val power = lines[cell] * x
        val offset = lines[cell + 1]
        return power + Float.fromBits(offset.toRawBits() xor (bits and Int.MIN_VALUE))
    }

    private companion object {
        const val CELLS = 1 shl 15
        const val FIRST_NORMAL = 0x0080
        const val INFINITE = 0x7F80

        /** The line of a cell with the smallest largest error: half way between the chord and the tangent parallel to it. */
        fun fill(lines: FloatArray, p: Double) {
            for (cell in FIRST_NORMAL until INFINITE) {
                val low = Float.fromBits(cell shl 16).toDouble()
                val high = if (cell + 1 == INFINITE) 2.0.pow(128) else Float.fromBits(cell + 1 shl 16).toDouble()
                val slope = ((high.pow(p) - low.pow(p)) / (high - low)).toFloat()
                // The offset is fitted to the slope as rounded, so that rounding the slope costs nothing.
                val rounded = slope.toDouble()
                val touch = if (p == 1.0) low else (rounded / p).pow(1 / (p - 1)).coerceIn(low, high)
                val above = touch.pow(p) - rounded * touch
                val below = minOf(low.pow(p) - rounded * low, high.pow(p) - rounded * high)
                lines[2 * cell] = slope
                lines[2 * cell + 1] = ((above + below) / 2).toFloat()
            }
            for (cell in INFINITE until CELLS) lines[2 * cell] = 1f
        }
    }
}
