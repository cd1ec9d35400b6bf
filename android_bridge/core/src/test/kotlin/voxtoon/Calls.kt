package voxtoon

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Collections
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** Calls of the default model with the sample voice, and what tests say of them. */
internal object Calls {
    val voice = Vectors.clips.first { it.field("name").text() == "sample_48000" }
    val pcm = Vectors.samples(voice.field("samples"))
    val format = PcmFormat(48_000)

    /** The default model, loaded once for all tests; it ends with the process. */
    val avatars: CallerAvatar by lazy { load(Options()) }

    fun load(options: Options): CallerAvatar = CallerAvatar.load(ModelSource.file(defaultBundle), options)

    /** All updates of a call that is fed without losing anything. */
    fun recorded(format: PcmFormat = this.format, isRecording: Boolean = false, feed: (VoiceStream) -> Unit): List<AvatarUpdate> {
        val updates = Collections.synchronizedList(ArrayList<AvatarUpdate>())
        avatars.open("recorded", format, waits = true, isRecording = isRecording).run {
            setListener { updates += it }
            feed(this)
            assertSame(finish(), updates.last())
        }
        return updates
    }

    fun recorded(chunk: Int): List<AvatarUpdate> = recorded { call -> pieces(chunk) { from, length -> call.push(pcm.copyOfRange(from, from + length), length) } }

    fun pieces(chunk: Int, use: (Int, Int) -> Unit) {
        for (from in pcm.indices step chunk) use(from, minOf(chunk, pcm.size - from))
    }

    fun bytes(from: Int, length: Int): ByteArray =
        ByteBuffer.allocate(2 * length).order(ByteOrder.LITTLE_ENDIAN).apply { asShortBuffer().put(pcm, from, length) }.array()

    fun facts(update: AvatarUpdate): Map<String, Any> = mapOf(
        "state" to update.state, "speech" to update.speechMs, "confidence" to update.confidence, "final" to update.isFinal,
        "parameters" to update.parameters, "feature" to update.face.feature.toList(),
    )

    /** Asserts that this is refused, in one line. */
    fun refused(action: () -> Unit) {
        val error = assertThrows(InputException::class.java) { action() }
        assertTrue(error.message, '\n' !in error.message!!)
    }
}

/** The real engine, with something done before each run of a network. */
internal class WatchedEngine(private val before: (Map<String, Tensor>) -> Unit) : Engine {
    override val format = OnnxEngine.format

    override fun load(model: ByteArray, threads: Int): Session {
        val session = OnnxEngine.load(model, threads)
        return object : Session by session {
            override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
                before(inputs)
                return session.run(inputs)
            }
        }
    }
}
