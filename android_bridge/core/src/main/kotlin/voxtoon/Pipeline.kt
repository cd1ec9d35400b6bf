package voxtoon

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Style
import voxtoon.avatar.avatarParameters
import voxtoon.bundle.Artefact
import voxtoon.bundle.Bundle
import voxtoon.bundle.Streaming
import voxtoon.engine.Engine
import voxtoon.engine.Session
import voxtoon.engine.Tensor
import voxtoon.face.Face
import voxtoon.voice.Confidence
import voxtoon.voice.DESCRIPTOR
import voxtoon.voice.FrontEnd
import voxtoon.voice.Heard
import voxtoon.voice.Listener
import voxtoon.voice.Resampler
import voxtoon.voice.SpeechDetector
import voxtoon.voice.SpeechGate
import voxtoon.voice.StreamingEncoder
import voxtoon.voice.StreamingParts
import voxtoon.voice.TalkListener
import voxtoon.voice.VoiceListener
import voxtoon.voice.clipFrames
import voxtoon.voice.distance

/** In the order in which they are preferred: `int8` is only what passed its quality gate. */
private val PRECISIONS = listOf("int8", "fp32", "fp16")

/**
 * A bundle's way from a voice to a face, on one engine. Sessions are loaded when they are first needed and kept.
 *
 * Safe for use by one thread at a time; [CallerAvatar] is what applications use.
 *
 * @throws InputException when the bundle's front end, warp or domain is of a kind that this version does not know, or it
 *   has no part that finds speech.
 */
internal class Pipeline(private val bundle: Bundle, private val engine: Engine, private val threads: Int) : AutoCloseable {
    private val manifest = bundle.manifest
    private val sessions = ConcurrentHashMap<String, Session>()
    private val speech = manifest.voiceActivity ?: throw InputException("the bundle has no part that finds speech", hint = "export it again with this version of voxtoon")

    init {
        val order = manifest.face.warp?.order ?: 1
        if (order != 1) throw InputException("order of the bundle's warp", got = order, expected = 1)
        val rate = manifest.frontEnd.sampleRateHz
        if (rate != Resampler.MODEL_RATE_HZ) throw InputException("sample rate of the bundle's front end", got = rate, expected = Resampler.MODEL_RATE_HZ)
        val descriptor = manifest.domain?.descriptor ?: DESCRIPTOR
        if (descriptor != DESCRIPTOR) throw InputException("descriptor of the bundle's domain", got = descriptor, expected = DESCRIPTOR)
    }

    private val frames = clipFrames(manifest.frontEnd)

    /** How the encoder runs on a stream; null where the bundle has not both parts for this engine. */
    private val streaming: Streaming? = manifest.streaming?.takeIf { usable(it.step) != null && usable(it.head) != null }

    /** A part of the bundle, ready to run. */
    fun session(part: String): Session = sessions.getOrPut(part) { engine.load(bundle.read(artefact(part).file), threads) }

    /**
     * Reads and loads everything that a call needs, so that the first one does not wait for it: two parts at a time.
     *
     * @param ready waits until the engine is prepared; a part is read before.
     */
    fun loadAll(ready: () -> Unit) {
        val encoder = streaming?.let { listOf(it.step, it.head) } ?: listOf("encoder")
        val left = ConcurrentLinkedQueue(listOf(speech.part, "decoder") + encoder)
        val load = {
            while (true) {
                val part = left.poll() ?: break
                val model = bundle.read(artefact(part).file)
                ready()
                sessions[part] = engine.load(model, threads)
            }
        }
        val other = Meanwhile(load)
        try {
            load()
        } finally {
            other.get()
        }
    }

    /** For a recording. */
    fun listener(): VoiceListener = listener(gate(leastRun = 1))

    /** For a call: one that computes each frame once, where the bundle has the parts. */
    fun callListener(): VoiceListener {
        val gate = gate(SpeechGate.LEAST_RUN)
        val parts = streamingParts() ?: return listener(gate)
        return TalkListener(gate, FrontEnd(manifest.frontEnd), parts, frames)
    }

    /** Step and head, where the bundle has both for this engine. */
    fun streamingParts(): StreamingParts? = streaming?.let {
        StreamingParts(session(it.step), session(it.head), manifest.part(it.step), it, artefact(it.step).states)
    }

    private fun listener(gate: SpeechGate) = Listener(gate, ::encode, manifest.frontEnd.clipSamples)

    private fun gate(leastRun: Int) = SpeechGate(SpeechDetector(session(speech.part)), speech.threshold, leastRun)

    /** The face of what was heard, with its confidence. */
    fun face(heard: Heard): Face {
        val trust = Confidence.of(
            heard.speechS, heard.soundS,
            distance = manifest.domain?.distance(heard.descriptor),
            distanceP99 = manifest.domain?.distanceP99,
        )
        val decoded = session("decoder").run(mapOf("feature" to Tensor(longArrayOf(1, heard.feature.size.toLong()), heard.feature)))
        return Face.decoded(heard.feature, decoded, manifest.face, trust.value, trust.reason, heard.speechS, heard.narrowband)
    }

    /** What the cartoon of a face is drawn from; throws [InputException] where the bundle has no avatar statistics. */
    fun parameters(face: Face, style: Style): AvatarParameters {
        val statistics = manifest.avatarStatistics
            ?: throw InputException("this bundle has no avatar statistics", hint = "export a checkpoint that has them")
        return avatarParameters(face, statistics, style)
    }

    /** The feature of a clip. */
    fun encode(clip: FloatArray): FloatArray = feature(frames(clip))

    /** The feature of a clip's frames, by step and head where the bundle has no encoder in one piece. */
    fun feature(values: FloatArray): FloatArray {
        val parts = streamingParts()
        if (parts != null && manifest.artefacts.none { it.part == "encoder" }) {
            val encoder = StreamingEncoder(parts)
            for (at in values.indices step parts.frameSize) encoder.push(values, at, null)
            return encoder.feature()
        }
        val shape = longArrayOf(1, values.size / manifest.frontEnd.frameSize.toLong()) + manifest.frontEnd.frameShape
        return session("encoder").run(mapOf("frames" to Tensor(shape, values))).getValue("feature").values
    }

    private fun usable(part: String): Artefact? =
        PRECISIONS.firstNotNullOfOrNull { precision -> manifest.artefacts.find { it.part == part && it.format == engine.format && it.precision == precision } }

    /** What a part is run from: the first that the engine has, in the order in which precisions are preferred. */
    fun artefact(part: String): Artefact {
        val own = manifest.artefacts.filter { it.part == manifest.part(part).name }
        return usable(part)
            ?: throw InputException(
                "the bundle has no artefact of the part $part for this engine",
                got = engine.format,
                expected = own.joinToString { "${it.format} ${it.precision}" }.ifEmpty { "none" },
            )
    }

    override fun close() {
        sessions.values.forEach(Session::close)
        sessions.clear()
        bundle.close()
    }
}
