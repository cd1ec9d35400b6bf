package voxtoon.flow

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.CallerAvatar
import voxtoon.ModelSource
import voxtoon.PcmFormat

class UpdatesTest {
    private val pcm = File(System.getProperty("voxtoon.vectors"), "sample.s16").readBytes().let { bytes ->
        ShortArray(bytes.size / 2).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().get(it) }
    }

    @Test
    fun `the flow ends with the last face of the call`() = runBlocking {
        CallerAvatar.load(ModelSource.file(File(System.getProperty("voxtoon.bundle")))).use { avatars ->
            val call = avatars.newRecording("flow", PcmFormat(16_000))
            val all = async(Dispatchers.Unconfined) { call.updates().toList() } // collected from here on
            call.push(pcm, pcm.size)
            val last = call.finish()
            assertTrue(all.await().isNotEmpty())
            assertEquals(last, all.await().last())
            assertEquals(last, call.updates().first())
        }
    }
}
