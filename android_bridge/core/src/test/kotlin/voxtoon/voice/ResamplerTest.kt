package voxtoon.voice

import java.util.Random
import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.InputException
import voxtoon.Vectors
import voxtoon.assertClose
import voxtoon.bundle.FrontEndSpec

class ResamplerTest {
    @Test
    fun `samples and frames are those of the Python runtime's resampler`() {
        for (one in Vectors.parts.field("resampled").list()) {
            val rate = one.field("rate_hz").int()
            val expected = Vectors.floats(one.field("output"))
            val got = resampled(Vectors.floats(one.field("input")), rate)
            // At rates that share little with 16 kHz soxr's own pass band falls by 0.01 dB, which is a thousandth.
            val isSimple = rate % 8_000 == 0
            val samples = assertClose("$rate Hz", expected, got, if (isSimple) 2e-5 else 1e-3)
            val frames = assertClose("frames from $rate Hz", logMel(expected), logMel(got), if (isSimple) 1e-4 else 1e-2)
            println("resampled from $rate Hz: samples within $samples, frames within $frames of the scale")
        }
    }

    @Test
    fun `however a signal is cut into calls its output is the same to the bit`() {
        val random = Random(4)
        for (rate in intArrayOf(8_000, 44_100, 48_000, 47_999, 192_000)) {
            val signal = FloatArray(30_000) { random.nextFloat() - 0.5f }
            val whole = resampled(signal, rate)
            val resampler = Resampler(rate)
            val pieces = ArrayList<Float>()
            val keep = SampleSink { samples, offset, length -> for (i in offset until offset + length) pieces += samples[i] }
            var at = 0
            while (at < signal.size) {
                val length = minOf(random.nextInt(if (random.nextBoolean()) 4 else 4000), signal.size - at)
                resampler.push(signal, at, length, keep)
                at += length
            }
            resampler.flush(keep)
            assertArrayEquals("$rate Hz", whole, pieces.toFloatArray(), 0f)
        }
    }

    @Test
    fun `what lies above the lower Nyquist frequency stays below -120 dB`() {
        for (rate in intArrayOf(24_000, 44_100, 47_999, 48_000)) {
            for (frequency in doubleArrayOf(8_050.0, 9_000.0, 11_500.0)) {
                val tone = FloatArray(rate) { kotlin.math.sin(2 * Math.PI * frequency * it / rate).toFloat() }
                val inside = resampled(tone, rate).copyOfRange(4_000, 12_000)
                assertTrue("$frequency Hz at $rate Hz: ${inside.maxOf { abs(it) }}", inside.maxOf { abs(it) } < 1.5e-6)
            }
        }
    }

    @Test
    fun `a second is a second at any rate, and the next signal starts anew`() {
        for (rate in intArrayOf(4_000, 8_000, 11_025, 16_000, 44_100, 96_000, 384_000)) {
            val resampler = Resampler(rate)
            repeat(2) {
                var count = 0
                resampler.push(FloatArray(rate), 0, rate) { _, _, length -> count += length }
                resampler.flush { _, _, length -> count += length }
                assertEquals("$rate Hz", 16_000, count)
            }
        }
    }

    @Test
    fun `equal rates pass samples through untouched`() {
        val samples = FloatArray(10)
        Resampler(16_000).push(samples, 2, 5) { array, offset, length ->
            assertSame(samples, array)
            assertEquals(2 to 5, offset to length)
        }
    }

    @Test
    fun `rates that no telephone has are refused`() {
        for (rate in intArrayOf(0, -8_000, 3_999, 384_001)) assertThrows(InputException::class.java) { Resampler(rate) }
    }

    private fun resampled(signal: FloatArray, rate: Int): FloatArray {
        val output = ArrayList<Float>()
        val keep = SampleSink { samples, offset, length -> for (i in offset until offset + length) output += samples[i] }
        Resampler(rate).run {
            push(signal, 0, signal.size, keep)
            flush(keep)
        }
        return output.toFloatArray()
    }

    private fun logMel(samples: FloatArray) = FrontEnd(FrontEndSpec.logMel).frames(samples)
}
