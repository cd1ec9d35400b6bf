package voxtoon.bundle

import voxtoon.InputException
import voxtoon.engine.NumberType

/** A named input or output of a part; a dimension is a number, or null where its length is free. */
public class TensorSpec internal constructor(
    public val name: String,
    public val shape: List<Int?>,
    public val dtype: String,
    internal val axes: Int,
)

/** One network. */
public class Part internal constructor(
    public val name: String,
    public val inputs: List<TensorSpec>,
    public val outputs: List<TensorSpec>,
    /** `runtime`, or `evaluation` for what a phone can leave unread. */
    public val role: String,
)

/** State that an artefact keeps in integers: k stands for `scale * (k - zeroPoint)`, and a stream begins with [zeroPoint]. */
public class StateGrid internal constructor(
    public val type: NumberType,
    public val scale: Double,
    public val zeroPoint: Int,
)

/** One part in one format at one precision; [file] is a file of the bundle, or a folder of it. */
public class Artefact internal constructor(
    public val part: String,
    public val format: String,
    public val precision: String,
    public val file: String,
    /** Of its quantization; null where there is none. */
    public val recipe: String?,
    /** How near its outputs must come to the golden ones, by figure; null where the bundle does not say. */
    public val tolerance: Map<String, Double>?,
    /** By name of the input; state that is not named is as the part declares it. */
    public val states: Map<String, StateGrid>,
)

/** What a file of the bundle must be. */
public class FileEntry internal constructor(public val bytes: Long, public val sha256: String)

/** The numbers of the polyharmonic warp from the mean shape to the landmarks. */
public class Warp internal constructor(
    public val order: Int,
    public val regularisation: Double,
    public val boundaryPointsPerEdge: Int,
)

/** Where the head is in most pictures of a decoder that draws them itself, as shares of their side. */
public class Head internal constructor(
    public val left: Double,
    public val right: Double,
    public val brows: Double,
    public val chin: Double,
)

/** The faces of a bundle: their size, and what landmarks or pictures need. */
public class FaceShape internal constructor(
    public val imageSizePx: Int,
    /** 68 points, x and y in turn, in pixels; null where the decoder draws pictures. */
    public val meanLandmarks: FloatArray?,
    public val warp: Warp?,
    public val head: Head?,
    public val meanFeature: FloatArray?,
    internal val topology: String?,
    internal val featureStdSize: Int?,
)

/** Where the training voices lay: how far a voice is from them is measured in the whitened descriptor. */
public class Domain internal constructor(
    public val descriptor: String,
    public val mean: DoubleArray,
    public val whitener: List<DoubleArray>,
    public val distanceP99: Double,
)

/** Mean and standard deviation of each avatar measurement over the training faces. */
public class AvatarStatistics internal constructor(
    public val mean: Map<String, Double>,
    public val std: Map<String, Double>,
)

/** The part that tells speech from silence, and from which probability on it is speech. */
public class VoiceActivity internal constructor(
    public val part: String,
    public val windowSamples: Int,
    public val contextSamples: Int,
    public val threshold: Double,
)

/** How the encoder runs on a stream: the two parts it then is, and when its outputs come (see `docs/streaming.md`). */
public class Streaming internal constructor(
    public val step: String,
    public val head: String,
    public val framesPerCall: Int,
    public val leadFrames: Int,
    public val firstOutputFrames: Int,
    public val strideFrames: Int,
)

/** What a bundle holds: `manifest.json`, as `docs/bundle.md` specifies it. */
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
