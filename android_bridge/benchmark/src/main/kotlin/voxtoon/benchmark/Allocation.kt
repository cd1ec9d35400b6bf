package voxtoon.benchmark

import com.sun.management.ThreadMXBean
import java.lang.management.ManagementFactory
import voxtoon.CallerAvatar
import voxtoon.PcmFormat
import voxtoon.bundle.FrontEndSpec
import voxtoon.voice.FrontEnd

/** Bytes that this thread allocates in the steady state, for 20 ms of sound. */
internal object Allocation {
    private const val ROUNDS = 40
    private const val CHUNKS = 500
    private val beans = ManagementFactory.getThreadMXBean() as ThreadMXBean

    /** Of a push into a call. */
    fun ofPush(avatars: CallerAvatar): Long = avatars.newCall("steady", PcmFormat(RATE_HZ)).use { call ->
        val chunk = ShortArray(CHUNK)
        steady { call.push(chunk, chunk.size) }
    }

    /** Of a push into the front end. */
    fun ofFrontEnd(spec: FrontEndSpec): Long {
        val frontEnd = FrontEnd(spec)
        val chunk = FloatArray(CHUNK)
        return steady { frontEnd.push(chunk, 0, chunk.size) {} }
    }

    /** What half of the later rounds stay below, so that a round in which the compiler was at work does not count. */
    private inline fun steady(push: () -> Unit): Long {
        val thread = Thread.currentThread().id
        val bytes = LongArray(ROUNDS) {
            val before = beans.getThreadAllocatedBytes(thread)
            repeat(CHUNKS) { push() }
            beans.getThreadAllocatedBytes(thread) - before
        }
        return bytes.drop(ROUNDS / 2).sorted()[ROUNDS / 4] / CHUNKS
    }
}
