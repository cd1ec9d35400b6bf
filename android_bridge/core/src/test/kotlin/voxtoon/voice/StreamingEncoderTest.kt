package voxtoon.voice

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.bundle.Part
import voxtoon.bundle.StateGrid
import voxtoon.bundle.Streaming
import voxtoon.bundle.TensorSpec
import voxtoon.engine.NumberType
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** How step and head are run, on a step that is simple enough to be told by hand. */
class StreamingEncoderTest {
    @Test
    fun `integers of a state begin at the zero point that the manifest tells`() {
        val step = Sums(NumberType.UINT8)
        val encoder = StreamingEncoder(parts(step, mapOf("past" to StateGrid(NumberType.UINT8, 0.5, 200))))
        repeat(2) { push(encoder, 1f, 1f, 1f, 1f) }
        assertEquals(listOf(200, 201), step.pasts)
        encoder.reset()
        push(encoder, 1f, 1f, 1f, 1f)
        assertEquals(200, step.pasts.last())
    }

    @Test
    fun `where an older manifest does not tell it they begin at 0`() {
        val step = Sums(NumberType.INT8)
        push(StreamingEncoder(parts(step, emptyMap())), 1f, 1f, 1f, 1f)
        assertEquals(listOf(0), step.pasts)
    }

    @Test
    fun `an artefact that keeps its state otherwise than the manifest tells is refused`() {
        for (type in listOf(NumberType.FLOAT32, NumberType.INT8)) {
            assertThrows(CheckException::class.java) { parts(Sums(type), mapOf("past" to StateGrid(NumberType.UINT8, 0.5, 200))) }
        }
    }

    @Test
    fun `a feature holds the outputs that are complete in a call that is not full`() {
        val encoder = StreamingEncoder(parts(Sums(NumberType.UINT8), emptyMap()))
        push(encoder, 9f)
        assertThrows(InputException::class.java) { encoder.feature() }
        push(encoder, 1f, 2f, 4f, 3f, 3f, 100f)
        assertArrayEquals("of 10, 6 and 6: the last frame completes none", floatArrayOf(22 / 3f), encoder.feature(), 1e-6f)
        assertEquals("the stream is where it was", 2, encoder.count)
        push(encoder, 0f)
        assertArrayEquals(floatArrayOf(122 / 4f), encoder.feature(), 1e-6f)
    }

    private fun push(encoder: StreamingEncoder, vararg frames: Float) = frames.indices.forEach { encoder.push(frames, it, null) }

    private fun parts(step: Session, grids: Map<String, StateGrid>): StreamingParts {
        val part = Part("encoder_step", listOf(tensor("frames", 4), tensor("past", 1)), listOf(tensor("trunk", 2), tensor("valid", 2), tensor("next_past", 1)), "runtime")
        return StreamingParts(step, Same, part, Streaming("encoder_step", "head", 4, 0, firstOutputFrames = 2, strideFrames = 2), grids)
    }

    private fun tensor(name: String, frames: Int) = TensorSpec(name, listOf(1, frames, 1, 1), "float32", 4)

    /** Its outputs are the sums of two frames; its state counts calls. */
    private class Sums(private val state: NumberType) : Session {
        val pasts = ArrayList<Int>()
        override val inputTypes = mapOf("frames" to NumberType.FLOAT32, "past" to state)

        override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
            val (a, b, c, d) = inputs.getValue("frames").values.toList()
            val past = inputs.getValue("past").quantized[0].toInt() and 0xFF
            pasts += past
            return mapOf(
                "trunk" to Tensor(longArrayOf(1, 2, 1, 1), floatArrayOf(a + b, c + d)),
                "valid" to Tensor(longArrayOf(1, 2), floatArrayOf(1f, 1f)),
                "next_past" to Tensor(longArrayOf(1, 1, 1, 1), state, byteArrayOf((past + 1).toByte())),
            )
        }

        override fun close() = Unit
    }

    /** A head that leaves the mean as it is. */
    private object Same : Session {
        override val inputTypes = mapOf("mean" to NumberType.FLOAT32)

        override fun run(inputs: Map<String, Tensor>) = mapOf("feature" to inputs.getValue("mean"))

        override fun close() = Unit
    }
}
