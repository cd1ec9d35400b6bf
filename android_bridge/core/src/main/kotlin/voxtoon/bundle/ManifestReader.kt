package voxtoon.bundle

import voxtoon.CheckException
import voxtoon.InputException
import voxtoon.engine.NumberType

private const val FORMAT = "voxtoon-bundle"
private const val MAJOR_VERSION = "1"
private const val MOST_FILES = 500
private const val LANDMARKS = 68
private val DTYPES = listOf("float32", "float16", "int64", "int32", "int8", "uint8", "bool")

/**
 * The manifest in the bytes of `manifest.json`.
 *
 * @throws InputException when it is another format, or a major version that this reader does not know.
 * @throws CheckException when a field is missing or wrong, or names something that the manifest does not list.
 */
internal fun readManifest(bytes: ByteArray): Manifest {
    val value = StrictJson.parse(bytes, MANIFEST_NAME)
    checkVersion(value)
    return manifest(Node(value, MANIFEST_NAME)).also(::checkReferences)
}

private fun checkVersion(value: Any?) {
    val found = (value as? Map<*, *>)?.get("format")
    if (found != FORMAT) {
        throw InputException("$MANIFEST_NAME is not a voxtoon bundle's", got = "format ${shown(found.toString())}", expected = FORMAT)
    }
    val version = (value as Map<*, *>)["format_version"]
    if (version !is String || !isVersion(version)) {
        throw CheckException("$MANIFEST_NAME.format_version", got = shown(version.toString()), expected = "text like '1.0'")
    }
    if (version.substringBefore('.') != MAJOR_VERSION) {
        throw InputException("bundle of an unknown version", got = version, expected = "$MAJOR_VERSION.x", hint = "update voxtoon")
    }
}

private fun isVersion(text: String): Boolean =
    text.split('.').let { pieces -> pieces.size == 2 && pieces.all { it.length in 1..4 && it.all { digit -> digit in '0'..'9' } } }

private fun manifest(node: Node) = Manifest(
    system = node.field("system").name(),
    variant = node.field("variant").name(),
    frontEnd = frontEnd(node.field("front_end")),
    parts = node.field("parts").list(1..Int.MAX_VALUE).map(::part),
    artefacts = node.field("artefacts").list(1..Int.MAX_VALUE).map(::artefact),
    files = node.field("files").items(1..MOST_FILES, Node::fileName) { FileEntry(it.field("bytes").long(0), it.field("sha256").sha256()) },
    face = face(node.field("face")),
    golden = node.optional("golden")?.items(readName = Node::name) { it.fileName() }.orEmpty(),
    domain = node.nullable("domain", ::domain),
    avatarStatistics = node.nullable("avatar_statistics") { statistics ->
        AvatarStatistics(
            mean = statistics.field("mean").items { it.number() },
            std = statistics.field("std").items { it.number(0.0) },
        )
    },
    voiceActivity = node.nullable("voice_activity", ::voiceActivity),
    streaming = node.nullable("streaming", ::streaming),
    modelCard = node.field("model_card").fileName(),
    licence = node.field("licence").text(),
    intendedUse = node.field("intended_use").text(),
    limits = node.field("limits").text(),
)

private fun frontEnd(node: Node): FrontEndSpec = try {
    FrontEndSpec.read(node)
} catch (error: InputException) {
    throw CheckException("$MANIFEST_NAME.front_end: ${error.message}", cause = error)
}

private fun part(node: Node): Part {
    node.field("parameters").long(0)
    node.field("licence").text()
    node.nullable("minimum_frames") { it.long(1) }
    node.nullable("macs_per_clip") { it.long(0) }
    return Part(
        name = node.field("name").name(),
        inputs = node.field("inputs").list(1..Int.MAX_VALUE).map(::tensor),
        outputs = node.field("outputs").list(1..Int.MAX_VALUE).map(::tensor),
        role = node.optional("role")?.oneOf(listOf("runtime", "evaluation")) ?: "runtime",
    )
}

private fun tensor(node: Node) = TensorSpec(
    name = node.field("name").text(),
    shape = node.field("shape").list().map { dimension -> if (dimension.isText) null.also { dimension.name() } else dimension.int(1) },
    dtype = node.field("dtype").oneOf(DTYPES),
    axes = node.field("axes").list().onEach { it.name() }.size,
)

private fun artefact(node: Node): Artefact {
    node.optional("minimum_runtime")?.items { it.text() }
    node.nullable("quality") { quality -> quality.items { it.number() } }
    val tolerance = node.nullable("parity") { parity ->
        parity.field("reference").text()
        for (name in listOf("max_abs", "max_abs_relative")) parity.field(name).number(0.0)
        for (name in listOf("psnr_db", "cosine")) parity.field(name).number()
        parity.field("tolerance").items { it.number() }
    }
    return Artefact(
        part = node.field("part").name(),
        format = node.field("format").name(),
        precision = node.field("precision").name(),
        file = node.field("file").fileName(),
        recipe = node.nullable("recipe") { it.text() },
        tolerance = tolerance,
        states = node.optional("states")?.items(readName = Node::name, read = ::stateGrid).orEmpty(),
    )
}

private fun stateGrid(node: Node) = StateGrid(
    type = NumberType.valueOf(node.field("dtype").oneOf(listOf("int8", "uint8")).uppercase()),
    scale = node.field("scale").number(0.0),
    zeroPoint = node.field("zero_point").int(),
)

private fun face(node: Node) = FaceShape(
    imageSizePx = node.field("image_size_px").int(1),
    meanLandmarks = node.nullable("mean_landmarks") { points ->
        val pairs = points.list(LANDMARKS..LANDMARKS).map { point -> point.list(2..2).map { it.number() } }
        FloatArray(2 * LANDMARKS) { pairs[it / 2][it % 2].toFloat() }
    },
    warp = node.nullable("warp") {
        Warp(it.field("order").int(1), it.field("regularisation").number(0.0), it.field("boundary_points_per_edge").int(0))
    },
    head = node.nullable("head") { head ->
        val (left, right, brows, chin) = listOf("left", "right", "brows", "chin").map { head.field(it).number(0.0) }
        Head(left, right, brows, chin)
    },
    meanFeature = node.nullable("mean_feature") { it.numbers().toFloats() },
    topology = node.nullable("topology") { it.oneOf(listOf("ibug68")) },
    featureStdSize = node.nullable("feature_std") { it.numbers().size },
)

private fun domain(node: Node): Domain {
    node.field("distance_p50").number(0.0)
    return Domain(
        descriptor = node.field("descriptor").name(),
        mean = node.field("mean").numbers(),
        whitener = node.field("whitener").list().map { it.numbers() },
        distanceP99 = node.field("distance_p99").number(0.0),
    )
}

private fun voiceActivity(node: Node) = VoiceActivity(
    part = node.field("part").name(),
    windowSamples = node.field("window_samples").int(1),
    contextSamples = node.field("context_samples").int(0),
    threshold = node.field("threshold").number(),
)

private fun streaming(node: Node) = Streaming(
    step = node.field("step").name(),
    head = node.field("head").name(),
    framesPerCall = node.field("frames_per_call").int(1),
    leadFrames = node.field("lead_frames").int(0),
    firstOutputFrames = node.field("first_output_frames").int(1),
    strideFrames = node.field("stride_frames").int(1),
)

private fun DoubleArray.toFloats() = FloatArray(size) { this[it].toFloat() }
