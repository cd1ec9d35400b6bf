package voxtoon.litert

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.engine.Engine
import voxtoon.engine.NumberType
import voxtoon.engine.Session
import voxtoon.engine.Tensor

/** LiteRT's Interpreter on the processor, for bundles that hold the format `litert`. */
public object LiteRtEngine : Engine {
    override val format: String get() = "litert"

    override fun load(model: ByteArray, threads: Int): Session = asOurs("cannot load the artefact") {
        val direct = ByteBuffer.allocateDirect(model.size).order(ByteOrder.nativeOrder()).apply { put(model) }
        val interpreter = Interpreter(direct, Interpreter.Options().setNumThreads(threads))
        val signature = interpreter.signatureKeys.singleOrNull()
        if (signature == null) {
            val held = interpreter.signatureKeys.joinToString()
            interpreter.close()
            throw CheckException("the artefact is not one part", got = held, expected = "one signature")
        }
        LiteRtSession(interpreter, signature)
    }
}

/** An interpreter has one set of tensors, so that one thread at a time runs it. */
private class LiteRtSession(private val interpreter: Interpreter, private val signature: String) : Session {
    private val inputs = interpreter.getSignatureInputs(signature).toSet()
    private val outputs = interpreter.getSignatureOutputs(signature)

    override val inputTypes: Map<String, NumberType> =
        inputs.associateWith { typeOf(it, interpreter.getInputTensorFromSignature(it, signature).dataType()) }

    @Synchronized
    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = asOurs("failed") {
        if (inputs.keys != this.inputs) throw InputException("inputs", got = inputs.keys.joinToString(), expected = this.inputs.joinToString())
        resize(inputs)
        val results = outputs.associateWith { direct(interpreter.getOutputTensorFromSignature(it, signature).numBytes()) }
        interpreter.runSignature(inputs.mapValues { native(it.value) }, results.toMap<String, Any>(), signature)
        results.mapValues { (name, buffer) -> ours(name, buffer) }
    }

    @Synchronized
    override fun close() = interpreter.close()

    private fun resize(inputs: Map<String, Tensor>) {
        var hasChanged = false
        for ((name, tensor) in inputs) {
            val own = interpreter.getInputTensorFromSignature(name, signature)
            val shape = IntArray(tensor.shape.size) { tensor.shape[it].toInt() }
            if (own.shape().contentEquals(shape)) continue
            val index = (0 until interpreter.inputTensorCount).first { interpreter.getInputTensor(it).index() == own.index() }
            interpreter.resizeInput(index, shape, true)
            hasChanged = true
        }
        if (hasChanged) interpreter.allocateTensors()
    }

    private fun native(tensor: Tensor): ByteBuffer {
        if (tensor.type != NumberType.FLOAT32) return direct(tensor.quantized.size).apply { put(tensor.quantized) }.also { (it as Buffer).rewind() }
        return direct(4 * tensor.values.size).apply { asFloatBuffer().put(tensor.values) }
    }

    private fun ours(name: String, buffer: ByteBuffer): Tensor {
        val tensor = interpreter.getOutputTensorFromSignature(name, signature)
        val shape = LongArray(tensor.numDimensions()) { tensor.shape()[it].toLong() }
        val type = typeOf(name, tensor.dataType())
        (buffer as Buffer).rewind() // ByteBuffer's own of that name came after API 24
        if (type == NumberType.FLOAT32) return Tensor(shape, FloatArray(tensor.numElements()).also { buffer.asFloatBuffer().get(it) })
        return Tensor(shape, type, ByteArray(tensor.numElements()).also { buffer.get(it) })
    }

    private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

    private fun typeOf(name: String, type: DataType): NumberType = when (type) {
        DataType.FLOAT32 -> NumberType.FLOAT32
        DataType.INT8 -> NumberType.INT8
        DataType.UINT8 -> NumberType.UINT8
        else -> throw CheckException("numbers of $name", got = type, expected = "float32, int8 or uint8", hint = "export the bundle again")
    }
}

private inline fun <T> asOurs(what: String, action: () -> T): T = try {
    action()
} catch (error: IllegalArgumentException) { // what the interpreter throws for a model it does not take
    throw CheckException("LiteRT $what", got = error.message?.lineSequence()?.first(), hint = "export the bundle again", cause = error)
} catch (error: IllegalStateException) {
    throw CheckException("LiteRT $what", got = error.message?.lineSequence()?.first(), hint = "export the bundle again", cause = error)
} catch (error: UnsatisfiedLinkError) {
    throw InputException("LiteRT is not there for this processor", got = error.message, hint = "see the README of the bridge", cause = error)
}
