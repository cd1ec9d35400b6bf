package voxtoon.voice

import java.util.Random
import kotlin.math.floor
import org.junit.Assert.assertEquals
import org.junit.Test

class TelephoneTest {
    @Test
    fun `the value that a fifth exceeds is found as if the row were sorted, of any length and with any number alike`() {
        val random = Random(21)
        repeat(2_000) {
            val values = DoubleArray(1 + random.nextInt(60)) { random.nextInt(1 + random.nextInt(20)).toDouble() }
            val sorted = values.sorted()
            val place = 0.8 * (sorted.size - 1)
            val below = sorted[floor(place).toInt()]
            val above = sorted[minOf(floor(place).toInt() + 1, sorted.size - 1)]
            assertEquals("$sorted", below + (above - below) * (place - floor(place)), quantile(values), 0.0)
        }
    }
}
