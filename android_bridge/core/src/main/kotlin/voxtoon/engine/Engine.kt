package voxtoon.engine

import voxtoon.InputException

/** What the numbers of a [Tensor] are. */
public enum class NumberType(internal val bytes: Int) {
    FLOAT32(4),

    /** A quantized number; this library hands it on and never looks at it. */
    INT8(1),

    /** Likewise. */
    UINT8(1),
}

/** An array in C order. */
public class Tensor private constructor(
    /** Lengths of the axes, the last one innermost. */
    public val shape: LongArray,
    /** What its numbers are. */
    public val type: NumberType,
    private val floats: FloatArray?,
    private val bytes: ByteArray?,
) {
    init {
        val count = floats?.size ?: bytes!!.size
        if (count != count(shape)) throw InputException("tensor of shape ${shape.joinToString()}", got = "$count values", expected = count(shape))
    }

    /** An array of single-precision numbers. */
    public constructor(shape: LongArray, values: FloatArray) : this(shape, NumberType.FLOAT32, values, null)

    /** An array of quantized numbers, of [NumberType.INT8] or [NumberType.UINT8]. */
    public constructor(shape: LongArray, type: NumberType, values: ByteArray) : this(shape, type, null, values)

    /** The single-precision numbers; throws [InputException] where they are quantized. */
    public val values: FloatArray
        get() = floats ?: throw InputException("numbers of a tensor", got = type, expected = NumberType.FLOAT32)

    /** The quantized numbers; throws [InputException] where they are single-precision. */
    public val quantized: ByteArray
        get() = bytes ?: throw InputException("numbers of a tensor", got = type, expected = "quantized ones")

    public companion object {
        /** A tensor of zeros; [zeroPoint] is the quantized number that stands for 0. */
        @JvmStatic
        @JvmOverloads
        public fun zeros(shape: LongArray, type: NumberType = NumberType.FLOAT32, zeroPoint: Int = 0): Tensor =
            if (type == NumberType.FLOAT32) {
                Tensor(shape, FloatArray(count(shape)))
            } else {
                Tensor(shape, type, ByteArray(count(shape)).also { it.fill(zeroPoint.toByte()) })
            }

        private fun count(shape: LongArray): Int = shape.fold(1L) { product, length -> product * length }.toInt()
    }
}

/** A loaded network: named arrays in, named arrays out. Any number of threads may run it. */
public interface Session : AutoCloseable {
    /** What the numbers of each input are: where an artefact keeps state in whole numbers, zeros must be such too. */
    public val inputTypes: Map<String, NumberType>

    /**
     * Evaluates the network once.
     *
     * @throws voxtoon.CheckException when the engine fails.
     */
    public fun run(inputs: Map<String, Tensor>): Map<String, Tensor>
}

/** What can run the artefacts of one format. */
public interface Engine {
    /** The format of its artefacts in a manifest: `onnx`, `litert`. */
    public val format: String

    /**
     * Loads what it needs itself, its native library for instance; called while the bundle is still being read.
     *
     * @throws voxtoon.InputException when it is not there.
     */
    public fun prepare(): Unit = Unit

    /**
     * Makes a session of the bytes of an artefact; several threads may ask at once.
     *
     * @param threads that it may use.
     * @throws voxtoon.CheckException when it cannot load them.
     */
    public fun load(model: ByteArray, threads: Int): Session
}
