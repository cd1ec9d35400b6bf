package voxtoon.voice

import java.util.Random
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.cos
import kotlin.math.exp
import kotlin.math.ln
import kotlin.math.sin
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.InputException
import voxtoon.Vectors
import voxtoon.assertClose
import voxtoon.bundle.FrontEndSpec

class FrontEndTest {
    private val frontEnds = Vectors.parts.field("front_ends")

    @Test
    fun `frames are those of the Python runtime to a ten-thousandth of the scale`() {
        for (name in frontEnds.names()) {
            val spec = FrontEndSpec.read(frontEnds.field(name).field("spec"))
            val frames = clipFrames(spec)(Vectors.clip.copyOf(spec.clipSamples))
            assertClose(name, Vectors.floats(frontEnds.field(name).field("frames")), frames, 1e-5)
        }
    }

    @Test
    fun `however a signal is cut into calls its frames are the same to the bit`() {
        val random = Random(3)
        for (spec in listOf(FrontEndSpec.logMel, FrontEndSpec.complexPower)) {
            val whole = FrontEnd(spec).frames(Vectors.clip)
            val frontEnd = FrontEnd(spec)
            val pieces = ArrayList<Float>()
            var at = 0
            while (at < Vectors.clip.size) {
                val length = minOf(random.nextInt(if (random.nextBoolean()) 3 else 5000), Vectors.clip.size - at)
                frontEnd.push(Vectors.clip, at, length) { frame -> pieces += frame.toList() }
                at += length
            }
            assertArrayEquals(whole, pieces.toFloatArray(), 0f)
        }
    }

    @Test
    fun `96,000 samples are 598 frames and 399 are none`() {
        assertEquals(598 * 514, FrontEnd(FrontEndSpec.complexPower).frames(FloatArray(96_000)).size)
        assertEquals(0, FrontEnd(FrontEndSpec.logMel).frames(FloatArray(399)).size)
    }

    @Test
    fun `a sample that is not finite is refused and nothing is taken`() {
        val frontEnd = FrontEnd(FrontEndSpec.logMel)
        for (broken in floatArrayOf(Float.NaN, Float.POSITIVE_INFINITY)) {
            val samples = FloatArray(400).also { it[7] = broken }
            assertThrows(InputException::class.java) { frontEnd.push(samples, 0, 400) {} }
        }
        var frames = 0
        frontEnd.push(FloatArray(400), 0, 399) { frames++ }
        assertEquals(0, frames)
    }

    @Test
    fun `a part of an array that is not there is refused`() {
        val frontEnd = FrontEnd(FrontEndSpec.logMel)
        assertThrows(InputException::class.java) { frontEnd.push(FloatArray(10), 5, 6) {} }
        assertThrows(InputException::class.java) { frontEnd.push(FloatArray(10), -1, 2) {} }
    }

    @Test
    fun `the transform is the definition's for powers of two and other lengths`() {
        val random = Random(5)
        for (size in listOf(2, 4, 6, 8, 16, 32, 90, 128, 360, 512, 1000)) {
            val signal = DoubleArray(size) { random.nextGaussian() }
            val re = DoubleArray(size / 2 + 1)
            val im = DoubleArray(size / 2 + 1)
            RealFft(size).transform(signal, re, im)
            for (bin in re.indices) {
                val exactRe = signal.indices.sumOf { signal[it] * cos(2 * PI * (bin.toLong() * it % size) / size) }
                val exactIm = signal.indices.sumOf { -signal[it] * sin(2 * PI * (bin.toLong() * it % size) / size) }
                assertTrue("bin $bin of $size", abs(re[bin] - exactRe) < 1e-11 * size && abs(im[bin] - exactIm) < 1e-11 * size)
            }
        }
    }

    @Test
    fun `the fast logarithm is the exact one to fourteen digits`() {
        val random = Random(13)
        repeat(200_000) {
            val x = if (it % 2 == 0) exp(1200 * random.nextDouble() - 600) else 0.5 + 2 * random.nextDouble()
            assertEquals("$x", ln(x), NaturalLog.of(x), 1e-14 * maxOf(1.0, abs(ln(x))))
        }
    }

    @Test
    fun `the power law is odd, exact to a millionth and nothing for zero`() {
        val law = PowerLaw(0.3)
        val random = Random(9)
        assertEquals(0f, law.of(0f), 0f)
        repeat(100_000) {
            val x = (random.nextGaussian() * Math.pow(10.0, random.nextInt(40) - 30.0)).toFloat()
            val exact = Math.pow(abs(x).toDouble(), 0.3)
            assertTrue("$x", abs(abs(law.of(x)) - exact) <= 1e-6 * exact || abs(x) < java.lang.Float.MIN_NORMAL)
            assertEquals(law.of(x), -law.of(-x), 0f)
        }
    }
}
