package voxtoon

import java.nio.ByteBuffer
import java.util.concurrent.atomic.AtomicInteger
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.Calls.avatars
import voxtoon.Calls.facts
import voxtoon.Calls.load
import voxtoon.Calls.recorded
import voxtoon.Calls.refused

/** Packets with their times: lost, late, doubled, and of a clock that drifts. As in Python's `test_stream.py`. */
class TimedCallTest {
    private val format = PcmFormat(RATE_HZ)
    private val call = Vectors.samples(Vectors.clips.first { it.field("name").text() == "sample" }.field("samples")).let { it.copyOf(it.size / 1600 * 1600) }

    @Test
    fun `what is lost on the way is heard as silence`() {
        val kept = call.copyOf()
        val expected = recorded(format) { stream ->
            for (start in kept.indices) if (start / 160 % 10 == 9) kept[start] = 0
            stream.push(kept, kept.size - 160)
        }
        val got = recorded(format) { stream ->
            for (start in call.indices step 160) if (start / 160 % 10 != 9) stream.push(piece(start, 160), 160, timeUs(start))
        }
        assertEquals(expected.map(::facts), got.map(::facts))
    }

    @Test
    fun `what came twice or late is heard once, from any kind of buffer`() {
        val expected = recorded(format) { it.push(call, call.size) }
        val got = recorded(format) { stream ->
            for (start in call.indices step 800) {
                stream.push(piece(start, 800), 800, timeUs(start))
                stream.push(bytes(start, 400), 800, timeUs(start))
                stream.push(ByteBuffer.wrap(bytes(start, 400)), 400, timeUs(start))
            }
        }
        assertEquals(expected.map(::facts), got.map(::facts))
        assertEquals(expected.map { it.heardMs }, got.map { it.heardMs })
    }

    @Test
    fun `a clock that is 0,5 percent fast is followed`() {
        val last = recorded(format) { stream ->
            for (second in 0 until 60) stream.push(ShortArray(RATE_HZ), RATE_HZ, atUs = second * 1_005_000L)
        }.last()
        assertTrue("${last.heardMs} ms", abs(last.heardMs - 60_300) < 20)
    }

    @Test
    fun `an hour that is missing costs nothing`() {
        val windows = AtomicInteger()
        load(Options(engine = WatchedEngine { inputs -> if ("memory" in inputs) windows.incrementAndGet() })).use { own ->
            val stream = own.open("hour", format, waits = true, isRecording = false)
            stream.push(call, call.size)
            stream.push(call, call.size, atUs = 3_600_000_000)
            val last = stream.finish()!!
            assertTrue("${last.heardMs} ms", abs(last.heardMs - 3_600_000 - 1000L * call.size / RATE_HZ) < 2)
            assertTrue("${last.speechMs} ms of speech", last.speechMs > 6_000)
        }
        val mostS = 2.0 * call.size / RATE_HZ + 4
        assertTrue("$windows windows of 32 ms", windows.get() * 0.032 < mostS)
    }

    @Test
    fun `a time that is none is refused, and the call goes on by its times`() {
        val zeros = call.copyOf()
        for (start in zeros.indices) if (start / 1600 % 10 == 0) zeros[start] = 0
        val expected = recorded(format) { it.push(zeros, zeros.size) }
        val got = recorded(format) { stream ->
            for (start in call.indices step 1600) {
                if (start % 16_000 == 0) {
                    refused { stream.push(piece(start, 1600), 1601, timeUs(start)) }
                    refused { stream.push(piece(start, 1600), 1600, atUs = -1) }
                } else {
                    stream.push(piece(start, 1600), 1600, timeUs(start))
                }
            }
        }
        assertEquals(expected.map(::facts), got.map(::facts))
    }

    @Test
    fun `what is dropped is heard as silence, so that the time of the call stays right`() {
        val stream = avatars.newCall("fast", format)
        repeat(20) { stream.push(call, call.size) }
        assertTrue("${stream.droppedSamples} dropped", stream.droppedSamples > 0)
        val heardMs = stream.finish()!!.heardMs
        assertTrue("$heardMs ms", abs(heardMs - 20_000L * call.size / RATE_HZ) < 5)
    }

    private fun piece(start: Int, length: Int) = call.copyOfRange(start, start + length)

    private fun bytes(start: Int, length: Int) = ByteArray(2 * length) { (call[start + it / 2].toInt() shr (8 * (it % 2))).toByte() }

    private fun timeUs(start: Int): Long = start * 1_000_000L / RATE_HZ

    private companion object {
        const val RATE_HZ = 16_000
    }
}
