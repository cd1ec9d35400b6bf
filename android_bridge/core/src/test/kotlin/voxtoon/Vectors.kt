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
