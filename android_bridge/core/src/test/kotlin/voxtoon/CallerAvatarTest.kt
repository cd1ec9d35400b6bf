package voxtoon

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.Calls.avatars
import voxtoon.Calls.bytes
import voxtoon.Calls.facts
import voxtoon.Calls.format
import voxtoon.Calls.pcm
import voxtoon.Calls.pieces
import voxtoon.Calls.recorded
import voxtoon.Calls.voice

/** The library as an application uses it, with the real engine and the default model. */
class CallerAvatarTest {
    @Test
    fun `a recording ends with the avatar that Python draws of it`() {
        val last = recorded(isRecording = true) { it.push(pcm, pcm.size) }.single()
        assertTrue(last.isFinal)
        for ((name, value) in Vectors.numbers(voice.field("parameters"))) assertEquals(name, value, last.parameters.numbers.getValue(name), Vectors.parameterTolerance(48_000))
        assertTrue(last.drawing.svg.startsWith("<svg"))
    }

    @Test
    fun `every update of a call is the one that Python gives`() {
        for (call in Vectors.index.field("calls").list()) {
            val name = call.field("name").text()
            val expected = call.field("updates").list()
            val samples = Vectors.samples(call.field("samples"))
            val tolerance = Vectors.tolerance(call.field("rate_hz").int())
            val packets = call.field("packets").list().map { packet -> packet.list(3..3).map { it.long() } }
            val got = recorded(PcmFormat(call.field("rate_hz").int())) { stream ->
                if (packets.isEmpty()) stream.push(samples, samples.size)
                for ((first, length, atUs) in packets) stream.push(samples.copyOfRange(first.toInt(), (first + length).toInt()), length.toInt(), atUs)
            }
            assertEquals(name, expected.map { it.field("state").text() }, got.map { it.state.name.lowercase() })
            expected.zip(got).forEachIndexed { index, (python, kotlin) ->
                val which = "$name, update $index"
                assertEquals(which, Math.round(1000 * python.field("speech_s").number()), kotlin.speechMs)
                assertEquals(which, 1000 * python.field("heard_s").number(), kotlin.heardMs.toDouble(), 1.0)
                assertEquals(which, python.field("second_voice").isTrue, kotlin.hasSecondVoice)
                assertEquals(which, python.field("final").isTrue, kotlin.isFinal)
                assertEquals(which, python.field("narrowband").isTrue, kotlin.isNarrowband)
                assertEquals(which, python.field("confidence").number(), kotlin.confidence, tolerance)
                assertEquals(which, python.nullable("angle_deg") { it.number() } ?: -1.0, kotlin.angleDeg ?: -1.0, 100 * tolerance)
                assertClose("$which: feature", Vectors.floats(python.field("feature")), kotlin.face.feature, tolerance)
                for ((parameter, value) in Vectors.numbers(python.field("parameters"))) {
                    assertEquals("$which: $parameter", value, kotlin.parameters.numbers.getValue(parameter), tolerance)
                }
            }
            println("$name: ${got.size} updates, ${got.count { it.state == CallState.STABLE }} stable, ${got.count { it.hasSecondVoice }} second voices")
        }
    }

    @Test
    fun `faces come as speech grows, the same ones for any chunks and any kind of buffer`() {
        val expected = recorded(chunk = 480).map(::facts)
        assertTrue("${expected.size} updates", expected.size >= 3)
        for (chunk in listOf(441, 2880, 48_000)) assertEquals(expected, recorded(chunk).map(::facts))
        assertEquals(expected, recorded { call -> pieces(960) { from, length -> call.push(bytes(from, length), 2 * length) } }.map(::facts))
        val inBuffers = recorded { call ->
            pieces(960) { from, length ->
                val buffer = ByteBuffer.wrap(ByteArray(6) + bytes(from, length)).order(ByteOrder.LITTLE_ENDIAN)
                buffer.position(6)
                call.push(buffer, length)
                assertEquals("the position is the caller's", 6, buffer.position())
            }
        }
        assertEquals(expected, inBuffers.map(::facts))
    }

    @Test
    fun `of two channels the chosen one is heard`() {
        val expected = recorded(chunk = 480).map(::facts)
        val stereo = PcmFormat(48_000, channels = 2, channel = 1)
        val both = ShortArray(2 * pcm.size) { if (it % 2 == 1) pcm[it / 2] else (it % 1000).toShort() }
        assertEquals(expected, recorded(stereo) { it.push(both, both.size) }.map(::facts))
    }

    @Test
    fun `twenty calls at once are each as if they were alone`() {
        val expected = facts(recorded(chunk = 480).last())
        val threads = Executors.newFixedThreadPool(20)
        val results = (1..20).map { index ->
            threads.submit<AvatarUpdate?> {
                avatars.open("call $index", format, waits = true, isRecording = false).run {
                    pieces(480 * index) { from, length -> push(pcm.copyOfRange(from, from + length), length) }
                    finish()
                }
            }
        }
        // Ends a test that hangs; how fast the machine is does not matter.
        for (result in results) assertEquals(expected, facts(result.get(10, TimeUnit.MINUTES)!!))
        threads.shutdown()
    }

    @Test
    fun `a call that nothing was pushed to ends without a face`() {
        assertNull(avatars.newCall("silent", format).finish())
    }

    @Test
    fun `a call whose rate changes goes on`() {
        val narrow = Vectors.clips.first { it.field("name").text() == "sample_8000" }
        val call = avatars.newRecording("changing", format)
        call.push(pcm, pcm.size)
        call.changeFormat(PcmFormat(8_000))
        call.push(ShortArray(0), 0) // the listening thread looks, finds nothing, and must still know of the new rate
        Thread.sleep(200)
        val other = Vectors.samples(narrow.field("samples"))
        call.push(other, other.size)
        val last = call.finish()!!
        assertTrue("${last.heardMs} ms", abs(last.heardMs - 1000L * pcm.size / 48_000 - 1000L * other.size / 8_000) < 50)
    }
}
