package voxtoon

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import voxtoon.bundle.Node
import voxtoon.bundle.StrictJson

/** What the Python runtime made of the same voices: `tests/bridge/write_vectors.py`. */
internal object Vectors {
    val index = Node(StrictJson.parse(File(vectors, "index.json").readBytes(), "index.json"), "index")
    val parts = index.field("parts")
    val clips = index.field("clips").list()
    val clip by lazy { floats(parts.field("clip")) }

    /**
     * How near to Python's a voice of this rate must come, of the scale. The two resamplers differ by 1e-7, which moves a
     * value that lies between two steps of an int8 network to the other one: a step is a hundredth of the scale.
     */
    fun tolerance(rateHz: Int): Double = if (rateHz == 16_000 || index.field("precision").text() == "fp32") 1e-4 else 3e-2

    /** The same of an avatar's parameters, which tell faces apart that lie near each other. */
    fun parameterTolerance(rateHz: Int): Double = if (tolerance(rateHz) == 1e-4) 1e-4 else 0.25

    fun floats(node: Node): FloatArray {
        val buffer = ByteBuffer.wrap(File(vectors, node.text()).readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return FloatArray(buffer.remaining()).also(buffer::get)
    }

    fun samples(node: Node): ShortArray {
        val buffer = ByteBuffer.wrap(File(vectors, node.text()).readBytes()).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer()
        return ShortArray(buffer.remaining()).also(buffer::get)
    }

    fun numbers(node: Node): Map<String, Double> = (node.names() - "skin").associateWith { node.field(it).number() }
}

/** Asserts that arrays agree to [tolerance] of the largest absolute value of [expected]; returns how far they are apart. */
fun assertClose(what: String, expected: FloatArray, got: FloatArray, tolerance: Double): Double {
    assertEquals("$what: length", expected.size, got.size)
    val scale = expected.maxOf { abs(it) }.toDouble().coerceAtLeast(1e-30)
    var worst = 0.0
    for (i in expected.indices) worst = maxOf(worst, abs(expected[i].toDouble() - got[i]).let { if (it.isNaN()) Double.MAX_VALUE else it })
    assertTrue("$what: ${worst / scale} of the scale $scale, at most $tolerance", worst <= tolerance * scale)
    return worst / scale
}
