package voxtoon.engine

import voxtoon.InputException

/** An array of single-precision numbers in C order. */
public class Tensor(
    /** Lengths of the axes, the last one innermost. */
    public val shape: LongArray,
    public val values: FloatArray,
) {
    init {
        val wanted = shape.fold(1L) { product, length -> product * length }
        if (wanted != values.size.toLong()) throw InputException("tensor of shape ${shape.joinToString()}", got = "${values.size} values", expected = wanted)
    }

    public companion object {
        /** A tensor of zeros. */
        @JvmStatic
        public fun zeros(vararg shape: Long): Tensor = Tensor(shape, FloatArray(shape.fold(1L) { product, length -> product * length }.toInt()))
    }
}

/** A loaded network: named arrays in, named arrays out. Any number of threads may run one at a time or together. */
public interface Session : AutoCloseable {
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
     * Makes a session of the bytes of an artefact.
     *
     * @param threads that it may use.
     * @throws voxtoon.CheckException when it cannot load them.
     */
    public fun load(model: ByteArray, threads: Int): Session
}
