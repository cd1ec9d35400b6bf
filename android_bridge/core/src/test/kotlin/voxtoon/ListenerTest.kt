package voxtoon

import java.util.Collections
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.Calls.avatars
import voxtoon.Calls.format
import voxtoon.Calls.load
import voxtoon.Calls.pcm

/** Who is told of faces, where, and what becomes of what they throw. */
class ListenerTest {
    @Test
    fun `a listener that throws harms nobody and is counted`() {
        val call = avatars.newRecording("rude", format)
        call.setListener { error("from the listener") }
        call.push(pcm, pcm.size)
        assertNotNull(call.finish())
        assertEquals(1, call.listenerFailures)
    }

    @Test
    fun `a face that is already there is told to a listener that comes later`() {
        val call = avatars.newRecording("late", format)
        call.push(pcm, pcm.size)
        val last = call.finish()
        val told = ArrayList<AvatarUpdate>()
        call.setListener { told += it }
        assertSame(last, told.single())
    }

    @Test
    fun `listeners run where they are told to`() {
        val executor = Executors.newSingleThreadExecutor { Thread(it, "callbacks") }
        val told = Collections.synchronizedList(ArrayList<Pair<String, Boolean>>())
        load(Options(callbacks = executor)).use { own ->
            val call = own.newRecording("elsewhere", format)
            call.setListener { told += Thread.currentThread().name to it.isFinal }
            call.push(pcm, pcm.size)
            call.finish()
        }
        executor.shutdown() // after what was handed to it
        assertTrue(executor.awaitTermination(10, TimeUnit.MINUTES)) // ends a test that hangs
        assertEquals(listOf("callbacks" to true), told)
    }
}
