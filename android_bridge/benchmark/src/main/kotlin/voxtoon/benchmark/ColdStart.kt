package voxtoon.benchmark

import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import voxtoon.CallerAvatar
import voxtoon.CheckException
import voxtoon.ModelSource
import voxtoon.Options
import voxtoon.PcmFormat
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/**
 * New processes that tell when they had what, counted from before they were made.
 *
 * `interpreter` is the Java machine, `load` the engine's native library, the bundle and its sessions, `first_inference` the
 * first run of the encoder, and `first_avatar` all of it, to the drawn avatar of the golden audio. `imports` is 0: what
 * Python imports first, a Java machine loads where it is first used. The native library lies unpacked, as on a phone.
 */
internal class ColdStart private constructor(private val processes: List<Map<String, Long>>) {
    val marks: Map<String, Any?> get() = MARKS.associateWith { mark -> latency(times { it.getValue(mark) }) }

    val memory: Map<String, Long?> get() = MEMORY.associateWith { name -> processes.mapNotNull { it[name] }.maxOrNull() }

    /** Nanoseconds from `CallerAvatar.load` to the first avatar. */
    val loadToAvatar: LongArray get() = times { it.getValue("first_avatar") - it.getValue("interpreter") - it.getValue("imports") }

    private fun times(of: (Map<String, Long>) -> Long) = LongArray(processes.size) { of(processes[it]) }

    companion object {
        private val MARKS = listOf("interpreter", "imports", "load", "first_inference", "first_avatar")
        private val MEMORY = listOf("peak_rss_bytes", "pss_bytes")

        /** Starts one process that is not counted, and [runs] that are; throws [CheckException] when one fails. */
        fun measure(bundle: File, pcm: ShortArray, library: NativeLibrary, runs: Int): ColdStart {
            val audio = Files.createTempFile("voxtoon", ".s16").toFile()
            try {
                audio.writeBytes(ByteBuffer.allocate(Short.SIZE_BYTES * pcm.size).order(ByteOrder.LITTLE_ENDIAN).apply { asShortBuffer().put(pcm) }.array())
                return ColdStart(List(runs + 1) { run(bundle, audio, library) }.drop(1))
            } finally {
                audio.delete()
            }
        }

        private fun run(bundle: File, audio: File, library: NativeLibrary): Map<String, Long> {
            val java = File(System.getProperty("java.home"), "bin/java").path
            val options = ManagementFactory.getRuntimeMXBean().inputArguments + library.option
            val main = listOf("-cp", System.getProperty("java.class.path"), "voxtoon.benchmark.ColdStartKt")
            val command = listOf(java) + options + main + listOf(bundle.path, audio.path, System.nanoTime().toString())
            val process = ProcessBuilder(command).apply { environment()[OnnxEngine.TELEMETRY_VARIABLE] = "1" }.redirectErrorStream(true).start()
            val said = process.inputStream.reader().readText()
            val code = process.waitFor()
            if (code != 0) throw CheckException("a new process could not draw an avatar", got = said.trim().lineSequence().lastOrNull { it.isNotBlank() } ?: "exit code $code")
            return said.lineSequence().map { it.split(' ') }.filter { it.size == 2 && it[1].toLongOrNull() != null }.associate { (name, value) -> name to value.toLong() }
        }
    }
}

/** The new process: `voxtoon.benchmark.ColdStartKt BUNDLE AUDIO NANOSECONDS`, by the clock of the process that started it. */
fun main(arguments: Array<String>) {
    val started = arguments[2].toLong()
    val bytes = File(arguments[1]).readBytes()
    val pcm = ShortArray(bytes.size / Short.SIZE_BYTES).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().get(it) }
    val begun = System.nanoTime()
    val engine = FirstRun()
    CallerAvatar.load(ModelSource.file(File(arguments[0])), Options(engine = engine)).use { avatars ->
        val loaded = System.nanoTime()
        val recording = avatars.newRecording("first", PcmFormat(RATE_HZ))
        recording.push(pcm, pcm.size)
        recording.finish()!!.drawing.svg
        val drawn = System.nanoTime()
        println("interpreter ${begun - started}\nimports 0\nload ${loaded - begun}\nfirst_inference ${engine.firstRunNs}\nfirst_avatar ${drawn - started}")
    }
    for ((name, bytes) in memory()) if (bytes != null) println("$name $bytes")
}

/** The engine, with the time that the encoder takes when it is run for the first time. */
private class FirstRun : Engine {
    @Volatile
    var firstRunNs = 0L
    override val format: String get() = OnnxEngine.format

    override fun prepare() = OnnxEngine.prepare()

    override fun load(model: ByteArray, threads: Int): Session {
        val session = OnnxEngine.load(model, threads)
        if ("frames" !in session.inputTypes) return session
        return object : Session by session {
            override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> {
                val before = System.nanoTime()
                return session.run(inputs).also { if (firstRunNs == 0L) firstRunNs = System.nanoTime() - before }
            }
        }
    }
}
