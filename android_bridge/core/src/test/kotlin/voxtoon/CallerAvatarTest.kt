package voxtoon

import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.math.abs
import org.junit.AfterClass
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.BeforeClass
import org.junit.Test
import voxtoon.avatar.AvatarParameters
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** The library as an application uses it, with the real engine and the default model. */
class CallerAvatarTest {
    private val voice = Vectors.clips.first { it.field("name").text() == "sample_48000" }
    private val pcm = Vectors.samples(voice.field("samples"))
    private val format = PcmFormat(48_000)

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
            val got = recorded(PcmFormat(call.field("rate_hz").int())) { it.push(samples, samples.size) }
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
        for (result in results) assertEquals(expected, facts(result.get(120, TimeUnit.SECONDS)!!))
        threads.shutdown()
    }

    @Test
    fun `sound that comes too fast is dropped from its old end and counted, and nobody waits`() {
        avatars.newCall("fast", format).use { call ->
            val started = System.nanoTime()
            repeat(10) { call.push(pcm, pcm.size) }
            assertTrue("${call.droppedSamples} dropped", call.droppedSamples > 0)
            assertTrue("pushed at once", System.nanoTime() - started < TimeUnit.SECONDS.toNanos(20))
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
        val names = Collections.synchronizedList(ArrayList<String>())
        val done = CountDownLatch(1)
        load(Options(callbacks = executor)).use { own ->
            val call = own.newRecording("elsewhere", format)
            call.setListener {
                names += Thread.currentThread().name
                if (it.isFinal) done.countDown()
            }
            call.push(pcm, pcm.size)
            call.finish()
            assertTrue(done.await(60, TimeUnit.SECONDS))
        }
        assertEquals(setOf("callbacks"), names.toSet())
        executor.shutdown()
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
        val other = Vectors.samples(narrow.field("samples"))
        call.push(other, other.size)
        val last = call.finish()!!
        assertTrue("${last.heardMs} ms", abs(last.heardMs - 1000L * pcm.size / 48_000 - 1000L * other.size / 8_000) < 50)
    }

    @Test
    fun `an engine that fails ends its call with an error and leaves others alone`() {
        val failing = FailingEngine()
        load(Options(engine = failing)).use { own ->
            val before = own.newRecording("before", format)
            before.push(pcm, pcm.size)
            assertNotNull(before.finish())
            failing.isBroken = true
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
            failing.isBroken = false
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

    private fun recorded(chunk: Int) = recorded { call -> pieces(chunk) { from, length -> call.push(pcm.copyOfRange(from, from + length), length) } }

    private fun recorded(format: PcmFormat = this.format, isRecording: Boolean = false, feed: (VoiceStream) -> Unit): List<AvatarUpdate> {
        val updates = Collections.synchronizedList(ArrayList<AvatarUpdate>())
        avatars.open("recorded", format, waits = true, isRecording = isRecording).run {
            setListener { updates += it }
            feed(this)
            assertSame(finish(), updates.last())
        }
        return updates
    }

    private fun pieces(chunk: Int, use: (Int, Int) -> Unit) {
        for (from in pcm.indices step chunk) use(from, minOf(chunk, pcm.size - from))
    }

    private fun bytes(from: Int, length: Int): ByteArray =
        ByteBuffer.allocate(2 * length).order(ByteOrder.LITTLE_ENDIAN).apply { asShortBuffer().put(pcm, from, length) }.array()

    private fun facts(update: AvatarUpdate): Map<String, Any> = mapOf(
        "state" to update.state, "speech" to update.speechMs, "confidence" to update.confidence, "final" to update.isFinal,
        "parameters" to update.parameters, "feature" to update.face.feature.toList(),
    )

    private fun refused(action: () -> Unit) {
        val error = assertThrows(InputException::class.java) { action() }
        assertTrue(error.message, '\n' !in error.message!!)
    }

    /** The real engine, until it is told to fail. */
    private class FailingEngine : Engine {
        @Volatile
        var isBroken = false
        override val format = OnnxEngine.format

        override fun load(model: ByteArray, threads: Int): Session {
            val session = OnnxEngine.load(model, threads)
            return object : Session by session {
                override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
                    if (isBroken) throw CheckException("the engine failed", hint = "this is a test")
                    return session.run(inputs)
                }
            }
        }
    }

    companion object {
        private lateinit var avatars: CallerAvatar

        private fun load(options: Options) = CallerAvatar.load(ModelSource.file(defaultBundle), options)

        @BeforeClass
        @JvmStatic
        fun open() {
            avatars = load(Options())
            assertEquals(AvatarParameters(), AvatarParameters.NEUTRAL)
        }

        @AfterClass
        @JvmStatic
        fun close() = avatars.close()
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
