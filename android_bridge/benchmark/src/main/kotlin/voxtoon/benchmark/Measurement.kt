package voxtoon.benchmark

import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.security.MessageDigest
import java.time.Instant
import kotlin.math.abs
import voxtoon.AvatarUpdate
import voxtoon.CallerAvatar
import voxtoon.ModelSource
import voxtoon.PcmFormat
import voxtoon.Pipeline
import voxtoon.avatar.Drawing
import voxtoon.bundle.Artefact
import voxtoon.bundle.Bundle
import voxtoon.engine.OnnxEngine
import voxtoon.engine.Tensor
import voxtoon.face.warp
import voxtoon.voice.FrontEnd
import voxtoon.voice.SpeechDetector

internal const val RATE_HZ = 16_000
internal const val CHUNK = RATE_HZ / 50
private const val OVERHEAD_RUNS = 1000

/** All that a record tells, measured one after the other. */
internal class Measurement(private val file: File, private val bundle: Bundle, private val protocol: Protocol) {
    private val manifest = bundle.manifest
    private val golden = Golden(bundle)
    private val pipeline = Pipeline(bundle, OnnxEngine, threads = 1)
    private val used: List<Artefact> =
        manifest.parts.filter { part -> part.role == "runtime" && manifest.artefacts.any { it.part == part.name && it.format == OnnxEngine.format } }.map { pipeline.artefact(it.name) }
    private val clip = golden.clip
    private val beans = ManagementFactory.getThreadMXBean() as ThreadMXBean

    fun record(): Map<String, Any?> {
        val coldStart = if (protocol.coldRuns > 0) NativeLibrary.unpack().use { newProcesses(it) } else null
        val accuracy = Accuracy(bundle, pipeline, golden).checks(used)
        val avatars = CallerAvatar.load(ModelSource.file(file))
        val times = rounds(stages(avatars, whole(avatars)))
        val latency = times.mapValues { latency(it.value) } + ("front_end_hop" to latency(hops()))
        val audioS = golden.pcm.size / RATE_HZ.toDouble()
        val wholeS = percentile(times.getValue("whole").map { it / 1e9 }.toDoubleArray().sortedArray(), 0.5)
        val record = linkedMapOf(
            "format" to "voxtoon-bench-record", "format_version" to "1.1",
            "on" to "jvm", "created" to Instant.now().toString(),
            "protocol" to linkedMapOf(
                "warmup_runs" to protocol.warmupRuns, "runs" to protocol.runs, "cold_runs" to protocol.coldRuns, "sustained_s" to protocol.sustainedS, "version" to 1,
            ),
            "settings" to linkedMapOf("engine" to "onnx", "precision" to "auto", "threads" to 1, "cpus" to null),
            "problem" to null, "device" to device(), "software" to software(),
            "model" to linkedMapOf("system" to manifest.system, "variant" to manifest.variant, "manifest_sha256" to manifestHash(), "audio_s" to audioS),
            "artefacts" to used.map(::described), "cold_start" to coldStart?.marks, "memory" to (coldStart?.memory ?: memory()),
            "accuracy" to accuracy, "latency" to latency, "overhead_s" to overheadS(), "real_time_factor" to wholeS / audioS,
            "first_avatar" to firstAvatar(avatars), "sustained" to sustained(avatars), "energy" to null, "conditions" to emptyList<Any>(), "peers" to emptyList<Any>(),
        )
        println("a push of 20 ms allocates ${Allocation.ofPush(avatars)} bytes")
        println("20 ms in the front end allocate ${Allocation.ofFrontEnd(manifest.frontEnd)} bytes")
        avatars.close()
        return record
    }

    private fun newProcesses(library: NativeLibrary): ColdStart {
        println("unpacking the engine's library took ${library.unpackedNs / 1_000_000} ms")
        return ColdStart.measure(file, golden.pcm, library, protocol.coldRuns).also {
            println("load to first avatar took ${it.loadToAvatar.sorted()[protocol.coldRuns / 2] / 1_000_000} ms")
        }
    }

    private fun whole(avatars: CallerAvatar): AvatarUpdate {
        val call = avatars.newRecording("whole", PcmFormat(RATE_HZ))
        call.push(golden.pcm, golden.pcm.size)
        return call.finish()!!.also { it.drawing.svg }
    }

    /** Runs every stage once a round, so that all of them meet the same conditions. */
    private fun rounds(stages: Map<String, () -> Any?>): Map<String, LongArray> {
        val times = stages.keys.associateWith { LongArray(protocol.runs) }
        for (run in -protocol.warmupRuns until protocol.runs) {
            for ((name, stage) in stages) {
                val before = System.nanoTime()
                stage()
                if (run >= 0) times.getValue(name)[run] = System.nanoTime() - before
            }
        }
        return times
    }

    private fun stages(avatars: CallerAvatar, first: AvatarUpdate): Map<String, () -> Any?> {
        val frontEnd = FrontEnd(manifest.frontEnd)
        val face = first.face
        val decoded = mapOf("feature" to Tensor(longArrayOf(1, face.feature.size.toLong()), face.feature))
        val stages = LinkedHashMap<String, () -> Any?>()
        manifest.voiceActivity?.let { stages["speech"] = { SpeechDetector(pipeline.session(it.part)).push(golden.samples, 0, golden.samples.size) {} } }
        stages["front_end"] = { frontEnd.frames(clip) }
        stages["encoder"] = { pipeline.feature(golden.frames.values) }
        pipeline.streamingParts()?.let { parts ->
            val inputs = parts.zeros + ("frames" to Tensor(parts.framesShape, golden.frames.values.copyOf(parts.plan.framesPerCall * parts.frameSize)))
            stages["step"] = { parts.step.run(inputs) }
        }
        stages["decoder"] = { pipeline.session("decoder").run(decoded) }
        if (face.texture != null) {
            val shape = manifest.face
            stages["warp"] = { warp(face.texture!!, face.landmarks!!, shape.meanLandmarks!!, shape.warp!!.regularisation, shape.warp!!.boundaryPointsPerEdge) }
        }
        stages["drawing"] = { Drawing(first.parameters).svg }
        stages["whole"] = { whole(avatars) }
        return stages
    }

    /** The whole way without a pause: the first minute against the last one, or the halves of less than two minutes. */
    private fun sustained(avatars: CallerAvatar): Map<String, Any?>? {
        if (protocol.sustainedS <= 0) return null
        val times = ArrayList<Long>()
        val started = System.nanoTime()
        while (System.nanoTime() - started < protocol.sustainedS * 1e9) {
            val before = System.nanoTime()
            whole(avatars)
            times += System.nanoTime() - before
        }
        return sustained(times.toLongArray())
    }

    /** Processor time of a hop in nanoseconds, of chunks of 20 ms, which are two hops. */
    private fun hops(): LongArray {
        val frontEnd = FrontEnd(manifest.frontEnd)
        repeat(20) { pushAll(frontEnd) }
        return LongArray(protocol.runs) {
            val before = beans.currentThreadCpuTime
            pushAll(frontEnd)
            (beans.currentThreadCpuTime - before) / (clip.size / manifest.frontEnd.hopSamples!!)
        }
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
        val audio = golden.pcm
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

    private fun described(artefact: Artefact): Map<String, Any?> {
        val entry = manifest.files.getValue(artefact.file)
        return linkedMapOf(
            "part" to artefact.part, "format" to artefact.format, "precision" to artefact.precision, "bytes" to entry.bytes,
            "sha256" to entry.sha256, "recipe" to artefact.recipe, "engine" to "onnx", "kernels" to emptyMap<String, Int>(),
        )
    }

    private fun overheadS(): Double {
        val times = DoubleArray(OVERHEAD_RUNS) {
            val before = System.nanoTime()
            abs(System.nanoTime() - before) / 1e9
        }
        return percentile(times.sortedArray(), 0.5)
    }

    private fun manifestHash(): String =
        MessageDigest.getInstance("SHA-256").digest(bundle.manifestBytes).joinToString("") { "%02x".format(it) }
}
