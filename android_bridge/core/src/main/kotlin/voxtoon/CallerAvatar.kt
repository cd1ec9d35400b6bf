package voxtoon

import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.Executor
import java.util.concurrent.locks.LockSupport
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Drawing
import voxtoon.avatar.Style
import voxtoon.bundle.Bundle
import voxtoon.bundle.BundleFiles
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine

/** Where a model comes from. */
public fun interface ModelSource {
    /** Opens the bundle; throws [VoxtoonException] where that is not possible. */
    public fun open(): Bundle

    public companion object {
        /** A bundle in a file or folder. */
        @JvmStatic
        public fun file(path: File): ModelSource = ModelSource { Bundle.open(path) }

        /** A bundle in memory: the bytes of a `*.voxtoon` file. */
        @JvmStatic
        public fun bytes(zip: ByteArray): ModelSource = ModelSource { Bundle.open(zip) }

        /** A bundle whose files are anywhere. */
        @JvmStatic
        public fun files(files: BundleFiles): ModelSource = ModelSource { Bundle.open(files) }
    }
}

/**
 * How to listen and draw.
 *
 * @property threads of the inference engine.
 * @property engine that runs the model.
 * @property firstUpdateSpeechMs speech, not time, before the first face.
 * @property updateEverySpeechMs speech between two faces: nothing is computed while nobody speaks.
 * @property queueMs sound that a call keeps for the listening thread; older sound is dropped when there is more.
 * @property style how faces are drawn.
 * @property callbacks runs the listeners; the listening thread itself if null.
 */
public data class Options(
    val threads: Int = 1,
    val engine: Engine = OnnxEngine,
    val firstUpdateSpeechMs: Int = 1000,
    val updateEverySpeechMs: Int = 500,
    val queueMs: Int = 2000,
    val style: Style = Style(),
    val callbacks: Executor? = null,
) {
    init {
        checkAtLeast("threads", threads, 1)
        checkAtLeast("firstUpdateSpeechMs", firstUpdateSpeechMs, 1)
        checkAtLeast("updateEverySpeechMs", updateEverySpeechMs, 1)
        checkAtLeast("queueMs", queueMs, 100)
    }

    private fun checkAtLeast(name: String, value: Int, least: Int) {
        if (value < least) throw InputException(name, got = value, expected = "$least or more")
    }
}

/**
 * A loaded model that draws callers: the entry point of this library.
 *
 * ```
 * CallerAvatar.load(ModelSource.file(File("default.voxtoon"))).use { avatars ->
 *     val call = avatars.newCall("42", PcmFormat(sampleRateHz = 48_000))
 *     call.setListener { update -> show(update.drawing.svg) }
 *     call.push(pcm, pcm.size)                    // from the thread that has the sound
 * }
 * ```
 *
 * All calls share the model's weights and one thread, on which everything is computed. Nothing leaves the process.
 */
public class CallerAvatar private constructor(private val pipeline: Pipeline, private val options: Options) : AutoCloseable {
    private val calls = CopyOnWriteArrayList<QueuedStream>()

    @Volatile
    private var isClosed = false
    private val thread = Thread(::listen, "voxtoon").apply {
        isDaemon = true
        priority = Thread.NORM_PRIORITY - 1
        start()
    }

    /**
     * A new call, of which one remote party is heard. Any number of calls may be open.
     *
     * @param callId told with every update; it means nothing to this library.
     * @throws InputException when the format is none, or this is closed.
     */
    @JvmOverloads
    public fun newCall(callId: String, format: PcmFormat = PcmFormat()): VoiceStream = open(callId, format, waits = false, isRecording = false)

    /**
     * A recording, a voicemail for instance: it has one face, at its end, and `push` waits for room instead of dropping
     * sound, so that it can be fed as fast as it can be read.
     */
    @JvmOverloads
    public fun newRecording(id: String, format: PcmFormat = PcmFormat()): VoiceStream = open(id, format, waits = true, isRecording = true)

    /** Ends all calls and gives the model back. Closing twice is fine; returns at once. */
    override fun close() {
        isClosed = true
        LockSupport.unpark(thread)
    }

    internal fun open(id: String, format: PcmFormat, waits: Boolean, isRecording: Boolean): VoiceStream {
        if (isClosed) throw InputException("the model is closed", hint = "load it again")
        return QueuedStream(id, format, pipeline, options, waits, isRecording, wake = { LockSupport.unpark(thread) }, forget = { calls.remove(it) }).also(calls::add)
    }

    private fun listen() {
        val chunk = FloatArray(CHUNK)
        while (!isClosed) {
            var hasWorked = false
            for (call in calls) if (call.work(chunk)) hasWorked = true
            if (!hasWorked) LockSupport.park(this)
        }
        calls.forEach(QueuedStream::close)
        for (call in calls) call.work(chunk)
        pipeline.close()
    }

    public companion object {
        private const val CHUNK = 4096

        /**
         * Loads a model. This reads megabytes: call it off the main thread.
         *
         * @throws InputException when there is no bundle, or none that this version or engine can use.
         * @throws CheckException when the bundle is damaged.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(model: ModelSource, options: Options = Options()): CallerAvatar {
            val prepared = Meanwhile { options.engine.prepare() }
            Meanwhile { Drawing(AvatarParameters.NEUTRAL).shapes } // reads the template; who draws first waits for that
            val bundle = model.open()
            val pipeline = try {
                Pipeline(bundle, options.engine, options.threads)
            } catch (error: Throwable) {
                bundle.close()
                throw error
            }
            try {
                pipeline.loadAll(prepared::get)
            } catch (error: Throwable) {
                pipeline.close()
                throw error
            }
            return CallerAvatar(pipeline, options)
        }
    }
}
