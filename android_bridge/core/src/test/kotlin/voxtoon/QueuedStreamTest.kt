package voxtoon

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.CountDownLatch
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.Calls.avatars
import voxtoon.Calls.format
import voxtoon.Calls.load
import voxtoon.Calls.pcm
import voxtoon.Calls.refused

/** What comes between the thread that has the sound and the one that hears it. */
class QueuedStreamTest {
    // Only a push that waits for the engine, which this test holds up, runs into the limit.
    @Test(timeout = 600_000)
    fun `sound that comes too fast is dropped from its old end and counted, and nobody waits`() {
        val isHeldUp = CountDownLatch(1)
        val goOn = CountDownLatch(1)
        val engine = WatchedEngine {
            isHeldUp.countDown()
            goOn.await()
        }
        load(Options(engine = engine)).use { own ->
            val call = own.newCall("fast", format)
            call.push(pcm, pcm.size)
            isHeldUp.await()
            repeat(9) { call.push(pcm, pcm.size) }
            assertEquals("two seconds wait", 2 * format.sampleRateHz, call.waitingSamples)
            val heard = 10L * pcm.size - call.droppedSamples - call.waitingSamples
            assertTrue("$heard are with the engine, the rest was dropped", heard in 1..4096)
            goOn.countDown()
        }
    }

    @Test
    fun `a push allocates nothing once the call is on`() {
        val beans = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val id = Thread.currentThread().id
        avatars.newCall("steady", format).use { call ->
            val chunk = ShortArray(960)
            val buffer = ByteBuffer.allocateDirect(2 * chunk.size).order(ByteOrder.LITTLE_ENDIAN)
            val rounds = List(20) {
                val before = beans.getThreadAllocatedBytes(id)
                repeat(500) {
                    call.push(chunk, chunk.size)
                    call.push(buffer, chunk.size)
                }
                beans.getThreadAllocatedBytes(id) - before
            }
            // The first rounds warm up; after them one may still meet the compiler at work.
            assertEquals("bytes in each round of 1,000 pushes: $rounds", 0L, rounds.drop(10).sorted()[4])
        }
    }

    @Test
    fun `PCM that is cut short or ends within a frame is refused`() {
        avatars.newCall("broken", PcmFormat(48_000, channels = 2)).use { call ->
            refused { call.push(ShortArray(3), 3) }
            refused { call.push(ShortArray(2), 4) }
            refused { call.push(ByteArray(7), 7) }
            refused { call.push(ByteArray(6), 6) }
            refused { call.push(ByteBuffer.allocate(40), 11) }
            refused { call.push(ByteBuffer.allocate(40), -1) }
        }
    }

    @Test
    fun `formats and options that make no sense are refused`() {
        refused { PcmFormat(sampleRateHz = 3_000) }
        refused { PcmFormat(channels = 0) }
        refused { PcmFormat(channels = 2, channel = 2) }
        refused { Options(threads = 0) }
        refused { Options(queueMs = 1) }
        refused { Options(updateEverySpeechMs = 0) }
    }

    @Test
    fun `push after close and calls after close are refused, closing twice is fine`() {
        val call = avatars.newCall("closed", format)
        call.close()
        call.close()
        refused { call.push(pcm, pcm.size) }
        assertNull(call.finish())
        val own = load(Options())
        val open = own.newCall("open", format)
        own.close()
        own.close()
        refused { own.newCall("late") }
        assertNull(open.finish())
    }
}
