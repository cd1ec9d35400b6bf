package voxtoon.benchmark

import com.sun.management.OperatingSystemMXBean
import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import java.time.Instant
import kotlin.system.exitProcess
import voxtoon.AvatarUpdate
import voxtoon.CallerAvatar
import voxtoon.InputException
import voxtoon.ModelSource
import voxtoon.PcmFormat
import voxtoon.VoxtoonException
import voxtoon.avatar.Drawing
import voxtoon.bundle.Bundle
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Session
import voxtoon.engine.Tensor
import voxtoon.face.warp
import voxtoon.voice.FrontEnd
import voxtoon.voice.SpeechDetector

private const val RATE_HZ = 16_000
private const val CHUNK = RATE_HZ / 50

/**
 * `voxtoon.benchmark.MainKt BUNDLE OUT.json [RUNS]`: measures this runtime as `voxtoon bench` measures Python's, and writes
 * the same record.
 */
fun main(arguments: Array<String>) {
    val started = System.nanoTime()
    if (arguments.size !in 2..3) {
        System.err.println("give a bundle, the file to write and perhaps the number of runs")
        exitProcess(2)
    }
    try {
        val record = Measurement(File(arguments[0]), runs = arguments.getOrNull(2)?.toInt() ?: 100, started).record()
        File(arguments[1]).writeText(json(record) + "\n")
        @Suppress("UNCHECKED_CAST")
        for ((name, times) in record["latency"] as Map<String, Map<String, Map<String, Any?>>>) {
            println("%-16s p50 %10.3f ms".format(name, 1000 * times.getValue("summary_s").getValue("p50") as Double))
        }
    } catch (error: VoxtoonException) {
        System.err.println("voxtoon-benchmark: ${error.message}")
        exitProcess(if (error is InputException) 2 else 1)
    }
}

private class Measurement(private val file: File, private val runs: Int, private val started: Long) {
    private val bundle = Bundle.open(file)
    private val manifest = bundle.manifest
    private val audio = int16Array(bundle.read(manifest.golden["audio"] ?: throw InputException("the bundle has no golden audio")))
    private val samples = FloatArray(audio.size) { audio[it] / 32768f }
    private val clip = FloatArray(manifest.frontEnd.clipSamples) { samples[it % samples.size] }
    private val warmupRuns = 10
    private val beans = ManagementFactory.getThreadMXBean() as ThreadMXBean

    fun record(): Map<String, Any?> {
        val avatars = CallerAvatar.load(ModelSource.file(file))
        val first = whole(avatars)
        val loadToAvatar = System.nanoTime() - started
        val processorTime = (ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean).processCpuTime
        val stages = stages(avatars, first)
        val times = stages.keys.associateWith { LongArray(runs) }
        for (run in -warmupRuns until runs) {
            for ((name, stage) in stages) {
                val before = System.nanoTime()
                stage()
                if (run >= 0) times.getValue(name)[run] = System.nanoTime() - before
            }
        }
        val firstAvatar = firstAvatar(avatars)
        val latency = times.mapValues { latency(it.value) } + ("front_end_hop" to latency(hops()))
        avatars.close()
        println("from the start of main to the first avatar ${loadToAvatar / 1_000_000} ms, ${processorTime / 1_000_000} ms of the processor with the start of the JVM")
        println("front end ${allocatedPerChunk()} bytes a chunk of 20 ms")
        val audioS = samples.size / RATE_HZ.toDouble()
        val wholeS = percentile(times.getValue("whole").map { it / 1e9 }.toDoubleArray().sortedArray(), 0.5)
        return linkedMapOf(
            "format" to "voxtoon-bench-record", "format_version" to "1.0",
            "on" to "jvm", "created" to Instant.now().toString(),
            "protocol" to linkedMapOf("warmup_runs" to warmupRuns, "runs" to runs, "cold_runs" to 0, "sustained_s" to 0.0, "version" to 1),
            "settings" to linkedMapOf("engine" to "onnx", "precision" to "auto", "threads" to 1, "cpus" to null),
            "problem" to null, "device" to device(), "software" to software(),
            "model" to linkedMapOf("system" to manifest.system, "variant" to manifest.variant, "manifest_sha256" to manifestHash(), "audio_s" to audioS),
            "artefacts" to used(), "cold_start" to null,
            "memory" to linkedMapOf("peak_rss_bytes" to kilobytes("/proc/self/status", "VmHWM"), "pss_bytes" to kilobytes("/proc/self/smaps_rollup", "Pss")),
            "accuracy" to null, "latency" to latency, "overhead_s" to overheadS(), "real_time_factor" to wholeS / audioS,
            "first_avatar" to firstAvatar, "sustained" to null, "energy" to null, "conditions" to emptyList<Any>(),
        )
    }

    private fun whole(avatars: CallerAvatar): AvatarUpdate {
        val call = avatars.newRecording("whole", PcmFormat(RATE_HZ))
        call.push(audio, audio.size)
        return call.finish()!!.also { it.drawing.svg }
    }

    private fun stages(avatars: CallerAvatar, first: AvatarUpdate): Map<String, () -> Any?> {
        val encoder = session("encoder")
        val decoder = session("decoder")
        val speech = session(manifest.voiceActivity!!.part)
        val frontEnd = FrontEnd(manifest.frontEnd)
        val frames = frontEnd.frames(clip)
        val shape = longArrayOf(1, frames.size / manifest.frontEnd.frameSize.toLong()) + manifest.frontEnd.frameShape
        val feature = Tensor(longArrayOf(1, first.face.feature.size.toLong()), first.face.feature)
        val face = first.face
        return linkedMapOf(
            "speech" to { SpeechDetector(speech).push(samples, 0, samples.size) {} },
            "front_end" to { frontEnd.frames(clip) },
            "encoder" to { encoder.run(mapOf("frames" to Tensor(shape, frames))) },
            "decoder" to { decoder.run(mapOf("feature" to feature)) },
            "warp" to { warp(face.texture!!, face.landmarks!!, manifest.face.meanLandmarks!!, manifest.face.warp!!.regularisation, manifest.face.warp!!.boundaryPointsPerEdge) },
            "drawing" to { Drawing(first.parameters).svg },
            "whole" to { whole(avatars) },
        )
    }

    /** Processor time of a hop in nanoseconds, of chunks of 20 ms, which are two hops. */
    private fun hops(): LongArray {
        val frontEnd = FrontEnd(manifest.frontEnd)
        repeat(20) { pushAll(frontEnd) }
        return LongArray(runs) {
            val before = beans.currentThreadCpuTime
            pushAll(frontEnd)
            (beans.currentThreadCpuTime - before) / (clip.size / manifest.frontEnd.hopSamples!!)
        }
    }

    private fun allocatedPerChunk(): Long {
        val frontEnd = FrontEnd(manifest.frontEnd)
        repeat(20) { pushAll(frontEnd) }
        val before = beans.getThreadAllocatedBytes(Thread.currentThread().id)
        pushAll(frontEnd)
        return (beans.getThreadAllocatedBytes(Thread.currentThread().id) - before) / (clip.size / CHUNK)
    }

    private fun pushAll(frontEnd: FrontEnd) {
        var at = 0
        while (at + CHUNK <= clip.size) {
            frontEnd.push(clip, at, CHUNK) {}
            at += CHUNK
        }
    }

    /** The golden audio as a call in chunks of 20 ms, until the first avatar. */
    private fun firstAvatar(avatars: CallerAvatar): Map<String, Any?>? {
        val before = System.nanoTime()
        avatars.newCall("first", PcmFormat(RATE_HZ)).use { call ->
            var at = 0
            while (at + CHUNK <= audio.size) {
                call.push(audio.copyOfRange(at, at + CHUNK), CHUNK)
                at += CHUNK
                while (call.latest == null && call.waitingSamples > 0) Thread.onSpinWait()
                val face = call.latest ?: continue
                face.drawing.svg
                return linkedMapOf("heard_s" to face.heardMs / 1000.0, "computed_s" to (System.nanoTime() - before) / 1e9)
            }
        }
        return null
    }

    private fun session(part: String): Session = OnnxEngine.load(bundle.read(artefact(part).file), threads = 1)

    private fun artefact(part: String) = manifest.artefacts.first { it.part == part && it.format == OnnxEngine.format }

    private fun used(): List<Map<String, Any?>> = manifest.parts.filter { it.role == "runtime" }.map { part ->
        val artefact = artefact(part.name)
        val entry = manifest.files.getValue(artefact.file)
        linkedMapOf(
            "part" to part.name, "format" to artefact.format, "precision" to artefact.precision, "bytes" to entry.bytes,
            "sha256" to entry.sha256, "recipe" to null, "engine" to "onnx", "kernels" to emptyMap<String, Int>(),
        )
    }

    private fun overheadS(): Double {
        val times = DoubleArray(1000) {
            val before = System.nanoTime()
            (System.nanoTime() - before) / 1e9
        }
        return percentile(times.sortedArray(), 0.5)
    }

    private fun manifestHash(): String =
        MessageDigest.getInstance("SHA-256").digest(bundle.manifestBytes).joinToString("") { "%02x".format(it) }

    private fun device(): Map<String, Any?> {
        val cpuinfo = text("/proc/cpuinfo").orEmpty()
        fun value(name: String) = Regex("^$name\\s*: *(.*)$", RegexOption.MULTILINE).find(cpuinfo)?.groupValues?.get(1)
        return linkedMapOf(
            "model" to text("/proc/device-tree/model"), "soc" to null,
            "kernel" to "${System.getProperty("os.name")} ${System.getProperty("os.version")}",
            "os" to Regex("PRETTY_NAME=\"(.*)\"").find(text("/etc/os-release").orEmpty())?.groupValues?.get(1),
            "processor" to linkedMapOf(
                "architecture" to System.getProperty("os.arch"), "model" to value("model name"), "parts" to emptyList<String>(),
                "features" to (value("flags") ?: value("Features")).orEmpty().split(' ').filter { it.isNotEmpty() },
                "cores" to Runtime.getRuntime().availableProcessors(),
            ),
            "memory_bytes" to kilobytes("/proc/meminfo", "MemTotal"),
            "governor" to text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "emulated" to File("/etc/voxtoon-emulated").exists(),
        )
    }

    private fun software(): Map<String, Any?> = linkedMapOf(
        "python" to "none: Java ${System.getProperty("java.version")}",
        "packages" to linkedMapOf("voxtoon" to "0.1.0", "onnxruntime" to ai.onnxruntime.OrtEnvironment.getEnvironment().version),
    )

    private fun kilobytes(path: String, name: String): Long? =
        Regex("^$name: *\\s*(\\d+) kB", RegexOption.MULTILINE).find(text(path).orEmpty())?.groupValues?.get(1)?.toLong()?.times(1024)

    private fun text(path: String): String? = File(path).takeIf { it.canRead() }?.readText()?.trim('\u0000', ' ', '\n')?.ifEmpty { null }

    /** One-dimensional int16 in a `.npy` file. */
    private fun int16Array(content: ByteArray): ShortArray {
        val header = 10 + ByteBuffer.wrap(content, 8, 2).order(ByteOrder.LITTLE_ENDIAN).short
        val numbers = ByteBuffer.wrap(content, header, content.size - header).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer()
        return ShortArray(numbers.remaining()).also { numbers.get(it) }
    }
}
