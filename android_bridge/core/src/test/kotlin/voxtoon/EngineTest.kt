package voxtoon

import java.io.File
import java.util.Collections
import java.util.concurrent.atomic.AtomicBoolean
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.Calls.format
import voxtoon.Calls.load
import voxtoon.Calls.pcm
import voxtoon.Calls.refused
import voxtoon.bundle.BundleFiles
import voxtoon.bundle.FileBytes
import voxtoon.bundle.ZipFiles
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session

/** Engines and models that fail, and what becomes of their calls. */
class EngineTest {
    @Test
    fun `an engine that fails ends its call with an error and leaves others alone`() {
        val isBroken = AtomicBoolean()
        val failing = WatchedEngine { if (isBroken.get()) throw CheckException("the engine failed", hint = "this is a test") }
        load(Options(engine = failing)).use { own ->
            val before = own.newRecording("before", format)
            before.push(pcm, pcm.size)
            assertNotNull(before.finish())
            isBroken.set(true)
            val errors = Collections.synchronizedList(ArrayList<VoxtoonException>())
            val call = own.newRecording("hit", format)
            call.setListener(object : Listener {
                override fun onUpdate(update: AvatarUpdate) = Unit

                override fun onError(error: VoxtoonException) {
                    errors += error
                }
            })
            call.push(pcm, pcm.size)
            assertThrows(CheckException::class.java) { call.finish() }
            assertEquals(1, errors.size)
            assertEquals(CallState.FAILED, call.state)
            isBroken.set(false)
            val after = own.newRecording("after", format)
            after.push(pcm, pcm.size)
            assertNotNull(after.finish())
        }
    }

    @Test
    fun `a model that is not there or has nothing for the engine is refused`() {
        refused { CallerAvatar.load(ModelSource.file(File("nowhere.voxtoon"))) }
        refused { CallerAvatar.load(ModelSource.bytes(ByteArray(10))) }
        val other = object : Engine {
            override val format = "nothing"

            override fun load(model: ByteArray, threads: Int): Session = error("not reached")
        }
        refused { load(Options(engine = other)) }
    }

    @Test
    fun `an engine that is not there is refused, and the bundle is closed`() {
        val missing = object : Engine {
            override val format = OnnxEngine.format

            override fun prepare() = throw InputException("the engine is not there", hint = "this is a test")

            override fun load(model: ByteArray, threads: Int): Session = error("not reached")
        }
        var isClosed = false
        val files = ZipFiles(FileBytes(defaultBundle), "the bundle")
        val watched = object : BundleFiles by files {
            override fun close() {
                isClosed = true
                files.close()
            }
        }
        refused { CallerAvatar.load(ModelSource.files(watched), Options(engine = missing)) }
        assertTrue(isClosed)
    }

    @Test
    fun `an engine whose bytes are no model is a failed check`() {
        assertThrows(CheckException::class.java) { OnnxEngine.load("not a model".toByteArray(), threads = 1) }
    }

    @Test
    fun `the engine is not loaded where it would report its use`() {
        val command = listOf(System.getProperty("java.home") + "/bin/java", "-cp", System.getProperty("java.class.path"), "voxtoon.EngineWithoutVariable")
        val process = ProcessBuilder(command).apply { environment().remove(OnnxEngine.TELEMETRY_VARIABLE) }.redirectErrorStream(true).start()
        val said = process.inputStream.reader().readText()
        assertTrue(said, said.startsWith("refused: onnxruntime would report its use"))
    }
}

/** Run in a process of its own, without the variable. */
object EngineWithoutVariable {
    @JvmStatic
    fun main(arguments: Array<String>) {
        try {
            OnnxEngine.load(ByteArray(1), threads = 1)
            println("loaded")
        } catch (error: InputException) {
            println("refused: ${error.message}")
        }
    }
}
