package voxtoon.engine

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OnnxValue
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import voxtoon.CheckException
import voxtoon.InputException

/**
 * ONNX Runtime on the processor, kept small and silent.
 *
 * From 1.29 on it reports its use to its makers, and only a variable of the environment that is set before the library is
 * loaded keeps it from that. So it is not loaded without: on Android `voxtoon.android` sets the variable, elsewhere whoever
 * starts the process does.
 */
public object OnnxEngine : Engine {
    /** Must be `1` before the library is loaded. */
    public const val TELEMETRY_VARIABLE: String = "ORT_DISABLE_TELEMETRY"

    override val format: String get() = "onnx"

    override fun load(model: ByteArray, threads: Int): Session {
        if (System.getenv(TELEMETRY_VARIABLE) != "1") {
            throw InputException(
                "onnxruntime would report its use to its makers",
                got = "$TELEMETRY_VARIABLE=${System.getenv(TELEMETRY_VARIABLE)}",
                expected = "$TELEMETRY_VARIABLE=1 in the environment",
                hint = "on Android open the model by voxtoon.android, elsewhere set it before the process starts",
            )
        }
        return asOurs("cannot load the artefact") {
            val environment = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL)
            OrtSession.SessionOptions().use { options ->
                options.setIntraOpNumThreads(threads)
                options.setInterOpNumThreads(1)
                // The arena would hold the largest intermediate for as long as we live.
                options.setCPUArenaAllocator(false)
                OnnxSession(environment, environment.createSession(model, options))
            }
        }
    }
}

private class OnnxSession(private val environment: OrtEnvironment, private val session: OrtSession) : Session {
    override val inputTypes: Map<String, NumberType> = session.inputInfo.mapValues { (name, node) -> typeOf(name, (node.info as? TensorInfo)?.type) }

    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = asOurs("failed") {
        val given = LinkedHashMap<String, OnnxTensor>()
        try {
            for ((name, tensor) in inputs) given[name] = native(tensor)
            session.run(given).use { results -> results.associate { (name, value) -> name to ours(name, value) } }
        } finally {
            given.values.forEach(OnnxTensor::close)
        }
    }

    override fun close() = asOurs("cannot be closed") { session.close() }

    private fun native(tensor: Tensor): OnnxTensor = when (tensor.type) {
        NumberType.FLOAT32 -> OnnxTensor.createTensor(environment, FloatBuffer.wrap(tensor.values), tensor.shape)
        NumberType.INT8 -> OnnxTensor.createTensor(environment, ByteBuffer.wrap(tensor.quantized), tensor.shape, OnnxJavaType.INT8)
        NumberType.UINT8 -> OnnxTensor.createTensor(environment, ByteBuffer.wrap(tensor.quantized), tensor.shape, OnnxJavaType.UINT8)
    }

    private fun ours(name: String, value: OnnxValue): Tensor {
        val tensor = value as? OnnxTensor ?: throw CheckException("output $name", expected = "a tensor")
        val type = typeOf(name, tensor.info.type)
        if (type == NumberType.FLOAT32) return Tensor(tensor.info.shape, tensor.floatBuffer.let { FloatArray(it.remaining()).also(it::get) })
        return Tensor(tensor.info.shape, type, tensor.byteBuffer.let { ByteArray(it.remaining()).also(it::get) })
    }

    private fun typeOf(name: String, type: OnnxJavaType?): NumberType = when (type) {
        OnnxJavaType.FLOAT -> NumberType.FLOAT32
        OnnxJavaType.INT8 -> NumberType.INT8
        OnnxJavaType.UINT8 -> NumberType.UINT8
        else -> throw CheckException("numbers of $name", got = type, expected = "float32, int8 or uint8", hint = "export the bundle again")
    }
}

private inline fun <T> asOurs(what: String, action: () -> T): T = try {
    action()
} catch (error: OrtException) {
    throw CheckException("onnxruntime $what", got = error.message?.lineSequence()?.first(), hint = "export the bundle again", cause = error)
} catch (error: UnsatisfiedLinkError) {
    throw InputException("onnxruntime is not there for this processor", got = error.message, hint = "see the README of the bridge", cause = error)
}
