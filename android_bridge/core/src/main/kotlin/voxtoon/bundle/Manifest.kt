package voxtoon.bundle

import voxtoon.InputException
import voxtoon.engine.NumberType

/**
 * A named input or output of a part.
 *
 * @property name by which an engine takes or gives it.
 * @property shape one number for each axis, null where a length is free.
 * @property dtype what its numbers are: `float32`, `int8`, ...
 */
public class TensorSpec internal constructor(
    public val name: String,
    public val shape: List<Int?>,
    public val dtype: String,
    internal val axes: Int,
)

/**
 * One network.
 *
 * @property name by which artefacts belong to it.
 * @property inputs what it takes.
 * @property outputs what it gives.
 * @property role `runtime`, or `evaluation` for what a phone can leave unread.
 */
public class Part internal constructor(
    public val name: String,
    public val inputs: List<TensorSpec>,
    public val outputs: List<TensorSpec>,
    public val role: String,
)

/**
 * State that an artefact keeps in integers: k stands for `scale * (k - zeroPoint)`.
 *
 * @property type of the integers.
 * @property scale what one step is worth.
 * @property zeroPoint the integer that stands for 0, with which a stream begins.
 */
public class StateGrid internal constructor(
    public val type: NumberType,
    public val scale: Double,
    public val zeroPoint: Int,
)

/**
 * One part in one format at one precision.
 *
 * @property part the network that it is.
 * @property format of its file: `onnx`, `litert`, `coreml`.
 * @property precision of its numbers: `fp32`, `fp16`, `int8`, ...
 * @property file a file of the bundle, or a folder of it.
 * @property recipe of its quantization; null where there is none.
 * @property tolerance how near its outputs must come to the golden ones, by figure; null where the bundle does not say.
 * @property states grids of its integer states, by name of the input; state that is not named is as the part declares it.
 */
public class Artefact internal constructor(
    public val part: String,
    public val format: String,
    public val precision: String,
    public val file: String,
    public val recipe: String?,
    public val tolerance: Map<String, Double>?,
    public val states: Map<String, StateGrid>,
)

/**
 * What a file of the bundle must be.
 *
 * @property bytes its size.
 * @property sha256 its hash, 64 lower-case hexadecimal digits.
 */
public class FileEntry internal constructor(public val bytes: Long, public val sha256: String)

/**
 * The numbers of the polyharmonic warp from the mean shape to the landmarks.
 *
 * @property order of the spline; 1 is the only one that is drawn.
 * @property regularisation its smoothing.
 * @property boundaryPointsPerEdge points that do not move, between the corners of each image edge.
 */
public class Warp internal constructor(
    public val order: Int,
    public val regularisation: Double,
    public val boundaryPointsPerEdge: Int,
)

/**
 * Where the head is in most pictures of a decoder that draws them itself, as shares of their side.
 *
 * @property left its left edge.
 * @property right its right edge.
 * @property brows the height of the brows.
 * @property chin the height of the chin.
 */
public class Head internal constructor(
    public val left: Double,
    public val right: Double,
    public val brows: Double,
    public val chin: Double,
)

/**
 * The faces of a bundle: their size, and what landmarks or pictures need.
 *
 * @property imageSizePx width and height.
 * @property meanLandmarks 68 points, x and y in turn, in pixels; null where the decoder draws pictures.
 * @property warp how a texture is drawn with other landmarks; null likewise.
 * @property head where it is in pictures; null where landmarks tell, or nobody does.
 * @property meanFeature of the training voices.
 */
public class FaceShape internal constructor(
    public val imageSizePx: Int,
    public val meanLandmarks: FloatArray?,
    public val warp: Warp?,
    public val head: Head?,
    public val meanFeature: FloatArray?,
    internal val topology: String?,
    internal val featureStdSize: Int?,
)

/**
 * Where the training voices lay.
 *
 * @property descriptor the name of what is measured of a voice.
 * @property mean of the descriptor over the training voices.
 * @property whitener rows that turn a difference from the mean into one of unit variance in all directions.
 * @property distanceP99 the distance that 99 % of the training voices keep.
 */
public class Domain internal constructor(
    public val descriptor: String,
    public val mean: DoubleArray,
    public val whitener: List<DoubleArray>,
    public val distanceP99: Double,
)

/**
 * Mean and standard deviation of each avatar measurement over the training faces.
 *
 * @property mean by name of the measurement.
 * @property std likewise.
 */
public class AvatarStatistics internal constructor(
    public val mean: Map<String, Double>,
    public val std: Map<String, Double>,
)

/**
 * The part that tells speech from silence.
 *
 * @property part its name.
 * @property windowSamples new samples of each of its runs.
 * @property contextSamples samples before them that it sees once more.
 * @property threshold from which probability on it is speech.
 */
public class VoiceActivity internal constructor(
    public val part: String,
    public val windowSamples: Int,
    public val contextSamples: Int,
    public val threshold: Double,
)

/**
 * How the encoder runs on a stream (see `docs/streaming.md`).
 *
 * @property step the part that takes frames as they come.
 * @property head the part that makes the feature of the mean of the step's outputs.
 * @property framesPerCall frames that each run of the step takes.
 * @property leadFrames of these, in the first run, that are zeros before the signal.
 * @property firstOutputFrames frames that the first output sees.
 * @property strideFrames frames between two outputs.
 */
public class Streaming internal constructor(
    public val step: String,
    public val head: String,
    public val framesPerCall: Int,
    public val leadFrames: Int,
    public val firstOutputFrames: Int,
    public val strideFrames: Int,
)

/**
 * What a bundle holds: `manifest.json`, as `docs/bundle.md` specifies it.
 *
 * @property system the kind of model, `speech2face` or `wav2pix`.
 * @property variant which one of that kind.
 * @property frontEnd how its frames are made.
 * @property parts its networks.
 * @property artefacts the forms in which they are there.
 * @property files every file but the manifest, by name.
 * @property face what its faces are.
 * @property golden files with outputs that were computed by torch, by name of the output.
 * @property domain where the training voices lay; null where nobody says.
 * @property avatarStatistics of the training faces; null where no avatar can be drawn.
 * @property voiceActivity the part that finds speech; null where there is none.
 * @property streaming how the encoder runs on a stream; null where it does not.
 * @property modelCard the file that describes the model.
 * @property licence of the model.
 * @property intendedUse what it is for.
 * @property limits what it cannot do and is not for.
 */
public class Manifest internal constructor(
    public val system: String,
    public val variant: String,
    public val frontEnd: FrontEndSpec,
    public val parts: List<Part>,
    public val artefacts: List<Artefact>,
    public val files: Map<String, FileEntry>,
    public val face: FaceShape,
    public val golden: Map<String, String>,
    public val domain: Domain?,
    public val avatarStatistics: AvatarStatistics?,
    public val voiceActivity: VoiceActivity?,
    public val streaming: Streaming?,
    public val modelCard: String,
    public val licence: String,
    public val intendedUse: String,
    public val limits: String,
) {
    /** The part called [name]; throws [InputException] where there is none. */
    public fun part(name: String): Part = parts.find { it.name == name }
        ?: throw InputException("no such part in the bundle", got = shown(name), expected = parts.joinToString { it.name })

    /** The names of the files in a folder of the bundle, and in the folders in it. */
    public fun filesIn(folder: String): List<String> = files.keys.filter { it.startsWith("$folder/") }
}
