package voxtoon.benchmark

import java.nio.ByteBuffer
import java.nio.ByteOrder
import voxtoon.CheckException
import voxtoon.bundle.Bundle
import voxtoon.bundle.Node
import voxtoon.bundle.StrictJson
import voxtoon.engine.Tensor
import voxtoon.voice.clipFrames
import voxtoon.voice.tileClip

private const val MOST_VALUES = 16_384

/** The golden arrays of a bundle: a voice, and what torch made of it on the whole way to the avatar. */
internal class Golden(private val bundle: Bundle) {
    private val spec = bundle.manifest.frontEnd
    val pcm: ShortArray = Npy.of(bundle, "audio").shorts()
    val samples = FloatArray(pcm.size) { pcm[it] / 32768f }
    val clip: FloatArray = tileClip(samples, samples.size, spec.clipSamples)

    /** What the front end makes of the clip here and now: the encoder's input. */
    val frames: Tensor = clipFrames(spec)(clip).let { Tensor(longArrayOf(1, it.size / spec.frameSize.toLong()) + spec.frameShape, it) }

    /** A golden array by name; throws [CheckException] where the bundle has none. */
    fun values(name: String): DoubleArray {
        if (name != "avatar") return Npy.of(bundle, name).doubles()
        val file = bundle.manifest.golden[name] ?: throw Npy.none(name)
        val numbers = Node(StrictJson.parse(bundle.read(file), file), file).items { it.number() }
        return numbers.toSortedMap().values.toDoubleArray()
    }

    companion object {
        /** What a bundle keeps of an array: up to 16384 values all, of more every k-th. */
        fun kept(values: DoubleArray): DoubleArray {
            val step = -Math.floorDiv(-values.size, MOST_VALUES)
            return if (step <= 1) values else DoubleArray((values.size + step - 1) / step) { values[it * step] }
        }
    }
}

/** Numbers in a `.npy` file, little-endian and in C order. */
internal class Npy private constructor(private val name: String, private val type: String, private val numbers: ByteBuffer) {
    fun shorts(): ShortArray {
        if (type != "<i2") throw CheckException("the golden $name", got = type, expected = "<i2")
        return ShortArray(numbers.remaining() / Short.SIZE_BYTES).also { numbers.asShortBuffer().get(it) }
    }

    fun doubles(): DoubleArray = when (type) {
        "<f4" -> FloatArray(numbers.remaining() / Float.SIZE_BYTES).also { numbers.asFloatBuffer().get(it) }.let { all -> DoubleArray(all.size) { all[it].toDouble() } }
        "<f8" -> DoubleArray(numbers.remaining() / Double.SIZE_BYTES).also { numbers.asDoubleBuffer().get(it) }
        else -> throw CheckException("the golden $name", got = type, expected = "<f4 or <f8")
    }

    companion object {
        private val TYPE = Regex("'descr': *'([^']*)'")

        fun none(name: String) = CheckException("it cannot be checked: the bundle has no golden $name", hint = "export it again")

        fun of(bundle: Bundle, name: String): Npy {
            val content = bundle.read(bundle.manifest.golden[name] ?: throw none(name))
            val start = if (content[6].toInt() == 1) 10 else 12
            val buffer = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
            val header = if (start == 10) buffer.getShort(8).toInt() and 0xFFFF else buffer.getInt(8)
            val type = TYPE.find(String(content, start, header, Charsets.ISO_8859_1))?.groupValues?.get(1)
            buffer.position(start + header)
            return Npy(name, type ?: "unknown", buffer.slice().order(ByteOrder.LITTLE_ENDIAN))
        }
    }
}
