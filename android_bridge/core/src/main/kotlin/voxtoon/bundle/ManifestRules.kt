package voxtoon.bundle

import voxtoon.CheckException
import voxtoon.engine.NumberType

/** Refuses a name that is listed twice or not at all, and lengths that differ: what no rule of a single field can tell. */
internal fun checkReferences(manifest: Manifest) {
    checkOnce("part", manifest.parts.map { it.name })
    checkOnce("artefact", manifest.artefacts.map { "${it.part} ${it.format} ${it.precision}" })
    checkOnce("file (upper and lower case count as one)", manifest.files.keys.map { it.lowercase() })
    val parts = manifest.parts.map { it.name }.toSet()
    manifest.artefacts.forEachIndexed { index, artefact ->
        checkListed("artefacts[$index].part", artefact.part, parts, "parts")
        if (manifest.filesIn(artefact.file).isEmpty()) checkListed("artefacts[$index].file", artefact.file, manifest.files.keys, "files")
        checkStates(artefact, manifest.part(artefact.part))
    }
    manifest.voiceActivity?.let { checkListed("voice_activity.part", it.part, parts, "parts") }
    manifest.streaming?.let { checkStreaming(manifest, it, parts) }
    for ((name, file) in manifest.golden) checkListed("golden['$name']", file, manifest.files.keys, "files")
    checkListed("model_card", manifest.modelCard, manifest.files.keys, "files")
    checkFileNames(manifest.files.keys)
    checkLengths(manifest)
    checkFace(manifest)
}

private fun checkStates(artefact: Artefact, part: Part) {
    val where = "$MANIFEST_NAME: states of ${artefact.file}"
    val outputs = part.outputs.map { it.name }
    val known = part.inputs.map { it.name }.filter { "next_$it" in outputs }
    for ((name, grid) in artefact.states) {
        if (name !in known) throw CheckException(where, got = shown(name), expected = known.joinToString().ifEmpty { "none" })
        val range = if (grid.type == NumberType.INT8) -128..127 else 0..255
        if (grid.zeroPoint !in range) throw CheckException("$where: $name.zero_point", got = grid.zeroPoint, expected = "${range.first} to ${range.last}")
    }
}

private fun checkOnce(what: String, names: List<String>) {
    val twice = names.groupingBy { it }.eachCount().entries.find { it.value > 1 } ?: return
    throw CheckException("$MANIFEST_NAME lists one $what twice", got = twice.key, hint = "export the bundle again")
}

private fun checkListed(where: String, name: String, known: Set<String>, whereKnown: String) {
    if (name !in known) throw CheckException("$MANIFEST_NAME.$where", got = shown(name), expected = "one that $whereKnown lists")
}

private fun checkFileNames(files: Set<String>) {
    if (files.any { it.lowercase() == MANIFEST_NAME }) {
        throw CheckException("$MANIFEST_NAME.files", got = MANIFEST_NAME, expected = "every file but the manifest")
    }
    for (name in files) {
        var folder = name.substringBeforeLast('/', "")
        while (folder.isNotEmpty()) {
            if (folder in files) throw CheckException("$MANIFEST_NAME.files", got = "'$folder' and '$name'", expected = "a file or a folder")
            folder = folder.substringBeforeLast('/', "")
        }
    }
}

private fun checkLengths(manifest: Manifest) {
    for (part in manifest.parts) {
        for (tensor in part.inputs + part.outputs) checkLength("parts['${part.name}'] ${tensor.name} axes", tensor.axes, tensor.shape.size)
    }
    val face = manifest.face
    if (face.meanFeature != null && face.featureStdSize != null) checkLength("face.feature_std", face.featureStdSize, face.meanFeature.size)
    manifest.domain?.let { domain ->
        for (row in domain.whitener) checkLength("domain.whitener, each row", row.size, domain.mean.size)
    }
    val statistics = manifest.avatarStatistics
    if (statistics != null && statistics.mean.keys != statistics.std.keys) {
        throw CheckException("$MANIFEST_NAME.avatar_statistics", expected = "mean and std of the same parameters")
    }
}

private fun checkFace(manifest: Manifest) {
    val face = manifest.face
    val geometry = listOf("topology" to face.topology, "mean_landmarks" to face.meanLandmarks, "warp" to face.warp)
    val missing = geometry.filter { it.second == null }.map { it.first }
    val givesLandmarks = manifest.parts.any { part -> part.name == "decoder" && part.outputs.any { it.name == "landmarks" } }
    if (missing.isNotEmpty() && (missing.size < geometry.size || givesLandmarks)) {
        throw CheckException("$MANIFEST_NAME.face", got = "no ${missing.joinToString()}", expected = geometry.joinToString { it.first })
    }
    val head = face.head ?: return
    if (!(head.left < head.right && head.right <= 1 && head.brows < head.chin && head.chin <= 1)) {
        throw CheckException("$MANIFEST_NAME.face.head", expected = "left < right <= 1 and brows < chin <= 1")
    }
}

private fun checkStreaming(manifest: Manifest, streaming: Streaming, parts: Set<String>) {
    checkListed("streaming.step", streaming.step, parts, "parts")
    checkListed("streaming.head", streaming.head, parts, "parts")
    val step = manifest.part(streaming.step)
    val head = manifest.part(streaming.head)
    val inputs = step.inputs.associate { it.name to it.shape }
    val outputs = step.outputs.associate { it.name to it.shape }
    val headInputs = head.inputs.associate { it.name to it.shape }
    val states = inputs.keys - "frames"
    checkTensors(step, "inputs", inputs.keys, setOf("frames"))
    checkTensors(step, "outputs", outputs.keys, setOf("trunk", "valid") + states.map { "next_$it" })
    checkTensors(head, "inputs", headInputs.keys, setOf("mean"))
    checkTensors(head, "outputs", head.outputs.map { it.name }.toSet(), setOf("feature"))
    for (name in states) {
        val shape = inputs.getValue(name)
        val next = outputs.getValue("next_$name")
        if (shape != next || null in shape) throw CheckException("$MANIFEST_NAME.parts['${step.name}'] $name", got = "$shape and $next", expected = "one shape")
    }
    val frames = inputs.getValue("frames")
    val trunk = outputs.getValue("trunk")
    val calls = listOf(1, streaming.framesPerCall) + frames.drop(2) to listOf(1, 1) + trunk.drop(2)
    if (frames to headInputs.getValue("mean") != calls || null in frames || null in trunk) {
        throw CheckException("$MANIFEST_NAME.streaming", got = "frames $frames, trunk $trunk", expected = "[1, ${streaming.framesPerCall}, ...], and a mean as a trunk's output")
    }
    if (streaming.framesPerCall % streaming.strideFrames != 0) {
        throw CheckException("$MANIFEST_NAME.streaming.frames_per_call", got = streaming.framesPerCall, expected = "a multiple of ${streaming.strideFrames}")
    }
    if (streaming.leadFrames >= streaming.framesPerCall) {
        throw CheckException("$MANIFEST_NAME.streaming.lead_frames", got = streaming.leadFrames, expected = "less than ${streaming.framesPerCall}")
    }
}

private fun checkTensors(part: Part, side: String, names: Set<String>, wanted: Set<String>) {
    val missing = (wanted - names).firstOrNull() ?: return
    throw CheckException("$MANIFEST_NAME.parts['${part.name}'].$side", got = "no $missing", expected = names.joinToString())
}

private fun checkLength(where: String, got: Int, expected: Int) {
    if (got != expected) throw CheckException("$MANIFEST_NAME.$where", got = "$got numbers", expected = expected)
}
