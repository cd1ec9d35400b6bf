package voxtoon.engine

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OnnxValue
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.ConcurrentLinkedQueue
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

    override fun prepare() {
        environment()
    }

    override fun load(model: ByteArray, threads: Int): Session {
        val environment = environment()
        return asOurs("cannot load the artefact") {
            OrtSession.SessionOptions().use { options ->
                options.setIntraOpNumThreads(threads)
                options.setInterOpNumThreads(1)
                // The arena would hold the largest intermediate for as long as we live.
                options.setCPUArenaAllocator(false)
                OnnxSession(environment, environment.createSession(model, options))
            }
        }
    }

    /** The engine's own: making it loads the native library, once in a process. */
    private fun environment(): OrtEnvironment {
        if (System.getenv(TELEMETRY_VARIABLE) != "1") {
            throw InputException(
                "onnxruntime would report its use to its makers",
                got = "$TELEMETRY_VARIABLE=${System.getenv(TELEMETRY_VARIABLE)}",
                expected = "$TELEMETRY_VARIABLE=1 in the environment",
                hint = "on Android open the model by voxtoon.android, elsewhere set it before the process starts",
            )
        }
        return asOurs("cannot be loaded") { OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL) }
    }
}

private class OnnxSession(private val environment: OrtEnvironment, private val session: OrtSession) : Session {
    override val inputTypes: Map<String, NumberType> = session.inputInfo.mapValues { (name, node) -> typeOf(name, (node.info as? TensorInfo)?.type) }
    private val outputs = session.outputInfo.mapValues { (_, node) -> node.info as? TensorInfo }

    // Of each thread that is in `run`, at most; what does not run waits here.
    private val idle = ConcurrentLinkedQueue<RunMemory>()

    override fun run(inputs: Map<String, Tensor>): Map<String, Tensor> = asOurs("failed") {
        val memory = idle.poll() ?: RunMemory(environment, outputs)
        try {
            session.run(memory.filled(inputs), memory.open, memory.pinned).use { results ->
                results.associate { (name, value) -> name to (memory.output(name) ?: ours(name, value)) }
            }
        } finally {
            idle += memory
        }
    }

    override fun close() = asOurs("cannot be closed") {
        session.close()
        while (true) (idle.poll() ?: break).close()
    }
}

/**
 * What one run of a network reads and writes, kept for the next one: making native tensors anew costs a run 40 microseconds,
 * and the speech detector's takes 90.
 */
private class RunMemory(private val environment: OrtEnvironment, outputs: Map<String, TensorInfo?>) : AutoCloseable {
    private val inputs = HashMap<String, Slot>()
    private val outputs = outputs.filterValues { it != null && it.shape.all { length -> length > 0 } }
        .mapValues { (name, info) -> Slot(environment, info!!.shape, typeOf(name, info.type)) }

    /** Outputs of a known shape, which the engine writes here. */
    val pinned: Map<String, OnnxTensor> = this.outputs.mapValues { it.value.native }

    /** The others, which it makes itself. */
    val open: Set<String> = outputs.keys - pinned.keys

    fun filled(given: Map<String, Tensor>): Map<String, OnnxTensor> = given.mapValues { (name, tensor) ->
        val known = inputs[name]
        val slot = if (known != null && known.fits(tensor)) known else Slot(environment, tensor.shape, tensor.type).also { inputs.put(name, it)?.close() }
        slot.put(tensor)
        slot.native
    }

    fun output(name: String): Tensor? = outputs[name]?.take()

    override fun close() {
        inputs.values.forEach(Slot::close)
        outputs.values.forEach(Slot::close)
    }
}

/** Memory of one tensor, which the engine reads or writes in place. */
private class Slot(environment: OrtEnvironment, private val shape: LongArray, private val type: NumberType) : AutoCloseable {
    private val count = shape.fold(1L, Long::times).toInt()
    private val bytes = ByteBuffer.allocateDirect(count * type.bytes).order(ByteOrder.nativeOrder())
    private val floats = bytes.asFloatBuffer()
    val native: OnnxTensor = OnnxTensor.createTensor(environment, bytes, shape, TYPES.getValue(type))

    fun fits(tensor: Tensor): Boolean = tensor.type == type && tensor.shape.contentEquals(shape)

    fun put(tensor: Tensor) {
        rewind()
        if (type == NumberType.FLOAT32) floats.put(tensor.values) else bytes.put(tensor.quantized)
    }

    fun take(): Tensor {
        rewind()
        if (type == NumberType.FLOAT32) return Tensor(shape, FloatArray(count).also(floats::get))
        return Tensor(shape, type, ByteArray(count).also(bytes::get))
    }

    override fun close() = native.close()

    private fun rewind() { // each buffer's own of that name came after API 24
        (floats as Buffer).rewind()
        (bytes as Buffer).rewind()
    }
}

private fun ours(name: String, value: OnnxValue): Tensor {
    val tensor = value as? OnnxTensor ?: throw CheckException("output $name", expected = "a tensor")
    val type = typeOf(name, tensor.info.type)
    if (type == NumberType.FLOAT32) return Tensor(tensor.info.shape, tensor.floatBuffer.let { FloatArray(it.remaining()).also(it::get) })
    return Tensor(tensor.info.shape, type, tensor.byteBuffer.let { ByteArray(it.remaining()).also(it::get) })
}

private val TYPES = mapOf(NumberType.FLOAT32 to OnnxJavaType.FLOAT, NumberType.INT8 to OnnxJavaType.INT8, NumberType.UINT8 to OnnxJavaType.UINT8)

private fun typeOf(name: String, type: OnnxJavaType?): NumberType = TYPES.entries.find { it.value == type }?.key
    ?: throw CheckException("numbers of $name", got = type, expected = "float32, int8 or uint8", hint = "export the bundle again")

private inline fun <T> asOurs(what: String, action: () -> T): T = try {
    action()
} catch (error: OrtException) {
    throw CheckException("onnxruntime $what", got = error.message?.lineSequence()?.first(), hint = "export the bundle again", cause = error)
} catch (error: LinkageError) { // of a class that could not be loaded before, too
    throw InputException("onnxruntime is not there for this processor", got = error.message, hint = "see the README of the bridge", cause = error)
}
