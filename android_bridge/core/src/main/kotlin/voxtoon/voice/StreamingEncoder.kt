package voxtoon.voice

import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.bundle.Part
import voxtoon.bundle.StateGrid
import voxtoon.bundle.Streaming
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** Takes outputs of the encoder before its mean over time; the values are the caller's. */
internal fun interface OutputSink {
    fun take(output: FloatArray)
}

/**
 * The two parts that are the encoder on a stream, loaded, and how frames and outputs meet (see `docs/streaming.md`).
 *
 * @param grids what the integers stand for in which the step's artefact keeps its state, by name of the input.
 */
internal class StreamingParts(val step: Session, val head: Session, stepPart: Part, val plan: Streaming, grids: Map<String, StateGrid>) {
    private val shapes = stepPart.inputs.associate { input -> input.name to LongArray(input.shape.size) { input.shape[it]!!.toLong() } }

    /** Every input of the step but the frames, as a stream begins. */
    val zeros: Map<String, Tensor> = (shapes - "frames").mapValues { (name, shape) ->
        val type = step.inputTypes[name] ?: throw CheckException("the artefact of ${stepPart.name}", got = "no input $name", hint = "export the bundle again")
        val grid = grids[name]
        if (grid != null && grid.type != type) {
            throw CheckException("the artefact's $name", got = type, expected = "${grid.type}, as the manifest tells", hint = "export the bundle again")
        }
        // An older manifest does not tell what its integers stand for: then they begin at the integer 0.
        Tensor.zeros(shape, type, grid?.zeroPoint ?: 0)
    }
    val framesShape: LongArray = shapes.getValue("frames")
    val frameSize: Int = framesShape.drop(2).fold(1L, Long::times).toInt()
    private val trunk = stepPart.outputs.first { it.name == "trunk" }.shape.drop(2).map { it!!.toLong() }
    private val outputShape: LongArray = longArrayOf(1, 1) + trunk
    val outputSize: Int = trunk.fold(1L, Long::times).toInt()

    /** Outputs that so many frames complete. */
    fun outputCount(frames: Int): Int = maxOf(0, Math.floorDiv(frames - plan.firstOutputFrames, plan.strideFrames) + 1)

    /** What the head makes of a mean of outputs. */
    fun featureOf(mean: DoubleArray): FloatArray =
        head.run(mapOf("mean" to Tensor(outputShape, FloatArray(mean.size) { mean[it].toFloat() }))).getValue("feature").values
}

/**
 * An encoder that takes its frames as they come: no frame is computed twice, and memory does not grow.
 *
 * What it has made of a stream at any moment is what the encoder makes of the same frames as one recording. The parts may
 * serve any number of encoders; one encoder belongs to one thread at a time.
 */
internal class StreamingEncoder(private val parts: StreamingParts) {
    private val size = parts.frameSize
    private var call = FloatArray(parts.plan.framesPerCall * size)
    private var states = parts.zeros
    private var filled = parts.plan.leadFrames

    /** Frames that came. */
    var frames = 0
        private set

    /** Outputs that came of them. */
    var count = 0
        private set

    /** The sum of these outputs. */
    var total = DoubleArray(parts.outputSize)
        private set

    /** Starts anew. */
    fun reset() {
        call.fill(0f)
        states = parts.zeros
        filled = parts.plan.leadFrames
        frames = 0
        count = 0
        total = DoubleArray(parts.outputSize)
    }

    /** Another encoder at the same place of the same stream. */
    fun copy(): StreamingEncoder = StreamingEncoder(parts).also {
        it.call = call.copyOf()
        it.states = states // never written to
        it.filled = filled
        it.frames = frames
        it.count = count
        it.total = total.copyOf()
    }

    /** Takes the frame that begins at [offset], and gives [sink] the outputs that it completes. */
    fun push(values: FloatArray, offset: Int, sink: OutputSink?) {
        System.arraycopy(values, offset, call, filled * size, size)
        filled++
        frames++
        if (filled < parts.plan.framesPerCall) return
        filled = 0
        val outputs = parts.step.run(states + ("frames" to Tensor(parts.framesShape, call)))
        states = parts.zeros.keys.associateWith { outputs.getValue("next_$it") }
        for (output in valid(outputs)) add(output, sink)
    }

    /**
     * What the encoder makes of all frames so far, as if the recording ended here; the stream goes on afterwards.
     *
     * @throws InputException when fewer frames came than one output sees.
     */
    fun feature(): FloatArray {
        val end = copy()
        val missing = parts.outputCount(frames) - count
        if (missing > 0) { // complete, but in a call that is not full: its other outputs see zeros, and are left
            end.call.fill(0f, filled * size)
            for (output in end.valid(parts.step.run(states + ("frames" to Tensor(parts.framesShape, end.call)))).take(missing)) end.add(output, null)
        }
        if (end.count == 0) throw InputException("too short for a feature", got = "$frames frames", expected = "at least ${parts.plan.firstOutputFrames}")
        return parts.featureOf(DoubleArray(total.size) { end.total[it] / end.count })
    }

    private fun valid(outputs: Map<String, Tensor>): List<FloatArray> {
        val trunk = outputs.getValue("trunk").values
        val valid = outputs.getValue("valid").values
        return valid.indices.filter { valid[it] > 0 }.map { trunk.copyOfRange(it * total.size, (it + 1) * total.size) }
    }

    private fun add(output: FloatArray, sink: OutputSink?) {
        for (k in total.indices) total[k] += output[k].toDouble()
        count++
        sink?.take(output)
    }
}
