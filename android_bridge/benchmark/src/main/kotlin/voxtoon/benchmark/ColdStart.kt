package voxtoon.benchmark

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtLoggingLevel
import java.io.File
import java.lang.management.ManagementFactory
import voxtoon.CallerAvatar
import voxtoon.CheckException
import voxtoon.ModelSource
import voxtoon.Options
import voxtoon.PcmFormat
import voxtoon.bundle.Bundle
import voxtoon.engine.Engine
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session
import voxtoon.engine.Tensor

private val MARKS = listOf("interpreter", "imports", "load", "first_inference", "first_avatar")
private val MEMORY = listOf("peak_rss_bytes", "pss_bytes")

/**
 * New processes that tell when they had what, counted from before they were made.
 *
 * `interpreter` is the Java machine, `imports` the engine's native library, which the desktop artefact unpacks into a
 * temporary file first (a phone has it installed), `load` the bundle and its sessions, `first_inference` the first run of the
 * encoder, and `first_avatar` all of it, to the drawn avatar of the golden audio.
 */
internal class ColdStart private constructor(val marks: Map<String, Any?>, val memory: Map<String, Long?>) {
    companion object {
        /** Starts one process that is not counted, and [runs] that are; throws [CheckException] when one fails. */
        fun measure(bundle: File, runs: Int): ColdStart {
            val processes = List(runs + 1) { run(bundle) }.drop(1)
            return ColdStart(
                marks = MARKS.associateWith { mark -> latency(LongArray(runs) { processes[it].getValue(mark) }) },
                memory = MEMORY.associateWith { name -> processes.mapNotNull { it[name] }.maxOrNull() },
            )
        }

        private fun run(bundle: File): Map<String, Long> {
            val java = File(System.getProperty("java.home"), "bin/java").path
            val options = ManagementFactory.getRuntimeMXBean().inputArguments
            val command = listOf(java) + options + listOf("-cp", System.getProperty("java.class.path"), "voxtoon.benchmark.ColdStartKt", bundle.path, System.nanoTime().toString())
            val process = ProcessBuilder(command).apply { environment()[OnnxEngine.TELEMETRY_VARIABLE] = "1" }.redirectErrorStream(true).start()
            val said = process.inputStream.reader().readText()
            val code = process.waitFor()
            if (code != 0) throw CheckException("a new process could not draw an avatar", got = said.trim().lineSequence().lastOrNull { it.isNotBlank() } ?: "exit code $code")
            return said.lineSequence().map { it.split(' ') }.filter { it.size == 2 && it[1].toLongOrNull() != null }.associate { (name, value) -> name to value.toLong() }
        }
    }
}

/** The new process: `voxtoon.benchmark.ColdStartKt BUNDLE NANOSECONDS`, by the clock of the process that started it. */
fun main(arguments: Array<String>) {
    val started = arguments[1].toLong()
    var before = started
    fun mark(name: String) {
        val now = System.nanoTime()
        println("$name ${now - before}")
        before = now
    }
    mark("interpreter")
    OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
    mark("imports")
    val bundle = Bundle.open(File(arguments[0]))
    val engine = FirstRun()
    CallerAvatar.load(ModelSource { bundle }, Options(engine = engine)).use { avatars ->
        mark("load")
        val audio = Npy.of(bundle, "audio").shorts()
        val recording = avatars.newRecording("first", PcmFormat(RATE_HZ))
        recording.push(audio, audio.size)
        recording.finish()!!.drawing.svg
        println("first_inference ${engine.firstRunNs}")
        before = started
        mark("first_avatar")
    }
    for ((name, bytes) in memory()) if (bytes != null) println("$name $bytes")
}

/** The engine, with the time that the encoder takes when it is run for the first time. */
private class FirstRun : Engine {
    @Volatile
    var firstRunNs = 0L
    override val format: String get() = OnnxEngine.format

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
