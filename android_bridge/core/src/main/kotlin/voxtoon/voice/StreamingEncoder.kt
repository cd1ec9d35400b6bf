package voxtoon.voice

import voxtoon.InputException
import voxtoon.bundle.Part
import voxtoon.bundle.Streaming
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/**
 * Runs the parts `encoder_step` and `head` on one stream: no frame is computed twice, and memory does not grow.
 *
 * What it has made of a stream at any moment is what the encoder makes of the same frames as one recording
 * (`docs/streaming.md`). The sessions may serve any number of encoders; one encoder belongs to one thread at a time.
 */
public class StreamingEncoder(private val step: Session, private val head: Session, stepPart: Part, private val plan: Streaming) {
    private val frameShape = fixed(stepPart, "frames")
    private val frameSize = frameShape.drop(2).fold(1) { product, length -> product * length.toInt() }
    private val stateShapes = stepPart.inputs.filter { it.name != "frames" }.associate { it.name to fixed(stepPart, it.name) }
    private val zeros = stateShapes.mapValues { (name, shape) -> Tensor.zeros(shape, step.inputTypes.getValue(name)) }
    private val call = FloatArray(plan.framesPerCall * frameSize)
    private var states = zeros
    private var filled = plan.leadFrames
    private var total: DoubleArray? = null
    private var outputShape = longArrayOf()
    private var count = 0
    private var known: FloatArray? = null

    /** Frames that came. */
    public var frames: Long = 0
        private set

    /** Starts anew. */
    public fun reset() {
        call.fill(0f)
        states = zeros
        filled = plan.leadFrames
        total = null
        count = 0
        known = null
        frames = 0
    }

    /**
     * Takes one frame, of the first `frameSize` values of [frame].
     *
     * @throws voxtoon.CheckException when the engine fails; it is then as if the frame had not come.
     */
    public fun push(frame: FloatArray) {
        System.arraycopy(frame, 0, call, filled * frameSize, frameSize)
        if (filled + 1 == plan.framesPerCall) {
            val outputs = step.run(inputs(call))
            add(outputs, limit = Int.MAX_VALUE)
            states = stateShapes.keys.associateWith { outputs.getValue("next_$it") }
            filled = 0
        } else {
            filled++
        }
        frames++
    }

    /** Whether enough frames came for [feature]. */
    public val isReady: Boolean get() = frames >= plan.firstOutputFrames

    /**
     * What the encoder makes of all frames so far, as if the recording ended here.
     *
     * As long as no output has come since it was last asked for, this costs nothing.
     *
     * @throws InputException when fewer frames came than one output sees.
     */
    public fun feature(): FloatArray {
        if (!isReady) throw InputException("too short for a feature", got = "$frames frames", expected = "at least ${plan.firstOutputFrames}")
        val due = ((frames - plan.firstOutputFrames) / plan.strideFrames + 1).toInt()
        known?.takeIf { due == count }?.let { return it.copyOf() }
        val mean = if (due > count) meanWithRest(due) else meanOf(total!!, count)
        val feature = head.run(mapOf("mean" to mean)).getValue("feature").values
        if (due == count) known = feature
        return feature.copyOf()
    }

    /** Outputs that are complete in a call that is not full: its other frames are zeros, and its other outputs are left. */
    private fun meanWithRest(due: Int): Tensor {
        val rest = FloatArray(call.size)
        System.arraycopy(call, 0, rest, 0, filled * frameSize)
        val totalBefore = total?.copyOf()
        val countBefore = count
        try {
            add(step.run(inputs(rest)), limit = due - count)
            return meanOf(total!!, count)
        } finally {
            total = totalBefore
            count = countBefore
        }
    }

    private fun inputs(frames: FloatArray): Map<String, Tensor> = states + ("frames" to Tensor(frameShape, frames))

    private fun add(outputs: Map<String, Tensor>, limit: Int) {
        val trunk = outputs.getValue("trunk")
        val valid = outputs.getValue("valid").values
        val size = trunk.values.size / valid.size
        var left = limit
        for (index in valid.indices) {
            if (valid[index] <= 0 || left == 0) continue
            left--
            outputShape = longArrayOf(1, 1) + trunk.shape.drop(2)
            val sum = total ?: DoubleArray(size).also { total = it }
            for (k in 0 until size) sum[k] += trunk.values[index * size + k].toDouble()
            count++
            known = null
        }
    }

    private fun meanOf(total: DoubleArray, count: Int) = Tensor(outputShape, FloatArray(total.size) { (total[it] / count).toFloat() })

    private companion object {
        fun fixed(part: Part, name: String): LongArray {
            val tensor = part.inputs.find { it.name == name }
                ?: throw InputException("part ${part.name}", got = part.inputs.joinToString { it.name }, expected = "an input $name")
            return tensor.shape.map { it?.toLong() ?: throw InputException("part ${part.name}, input $name", got = "a free length", expected = "a fixed one") }
                .toLongArray()
        }
    }
}
