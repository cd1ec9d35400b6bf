package voxtoon.benchmark

import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.sqrt
import voxtoon.CheckException
import voxtoon.Pipeline
import voxtoon.VoxtoonException
import voxtoon.avatar.Style
import voxtoon.avatar.avatarParameters
import voxtoon.bundle.Artefact
import voxtoon.bundle.Bundle
import voxtoon.engine.Tensor
import voxtoon.face.Face
import voxtoon.face.Image
import voxtoon.voice.Reason
import voxtoon.voice.SpeechDetector
import voxtoon.voice.StreamingEncoder

// As in the Python runtime's verification.
private val FRONT_END = mapOf("max_abs_relative" to 1e-5)
private val IMAGE = mapOf("fp32" to 80.0, "fp16" to 60.0)
private val AVATAR = mapOf("fp32" to 1e-4, "fp16" to 0.05)
private const val IMAGE_OF_OTHERS_DB = 30.0
private const val AVATAR_OF_OTHERS = 0.2
private const val PSNR_CEILING_DB = 300.0
private const val IMAGE_REDUCTION = 4

/** Every output of the artefacts that are run here against the golden arrays kept in their bundle, and the whole way. */
internal class Accuracy(private val bundle: Bundle, private val pipeline: Pipeline, private val golden: Golden) {
    private val manifest = bundle.manifest

    /** One entry for each output, as `voxtoon bench` writes it; what cannot be checked has a problem too. */
    fun checks(used: List<Artefact>): List<Map<String, Any?>> = buildList {
        add(check("front_end", "frames", "frames", FRONT_END) { doubles(golden.frames) })
        for (artefact in used) addAll(ofArtefact(artefact))
        val encoder = manifest.artefacts.find { it.part == "encoder" }?.part ?: manifest.streaming?.head
        val precision = used.find { it.part == encoder }?.precision
        if (precision != null && used.any { it.part == "decoder" && it.precision == precision }) addAll(ofWholeWay(precision))
    }

    private fun ofArtefact(artefact: Artefact): List<Map<String, Any?>> {
        val part = artefact.part
        fun one(output: String, values: () -> DoubleArray) = check(part, output, "$part.$output", artefact.tolerance, values)
        return when (part) {
            manifest.voiceActivity?.part -> listOf(one("output", ::speechProbabilities))
            manifest.streaming?.step -> listOf(one("trunk") { streamed().first })
            manifest.streaming?.head -> listOf(one("feature") { streamed().second })
            else -> {
                val outputs by lazy { pipeline.session(part).run(manifest.part(part).inputs.associate { it.name to input(it.name) }) }
                manifest.part(part).outputs.map { output -> one(output.name) { doubles(outputs.getValue(output.name)) } }
            }
        }
    }

    private fun input(name: String): Tensor {
        if (name == "frames") return golden.frames
        if (name != "feature") throw CheckException("it cannot be checked: the bundle has no golden $name")
        val feature = golden.values("encoder.feature")
        return Tensor(longArrayOf(1, feature.size.toLong()), FloatArray(feature.size) { feature[it].toFloat() })
    }

    private fun speechProbabilities(): DoubleArray {
        val found = ArrayList<Double>()
        SpeechDetector(pipeline.session(manifest.voiceActivity!!.part)).push(golden.samples, 0, golden.samples.size) { found += it.toDouble() }
        return found.toDoubleArray()
    }

    /** What the step makes of the clip, call by call, and the head of that. */
    private fun streamed(): Pair<DoubleArray, DoubleArray> {
        val parts = pipeline.streamingParts() ?: throw CheckException("it cannot be checked: the bundle has not both parts for this engine")
        val encoder = StreamingEncoder(parts)
        val trunk = ArrayList<Double>()
        val values = golden.frames.values
        for (at in values.indices step parts.frameSize) encoder.push(values, at) { output -> output.forEach { trunk += it.toDouble() } }
        val feature = encoder.feature()
        return trunk.toDoubleArray() to DoubleArray(feature.size) { feature[it].toDouble() }
    }

    private fun ofWholeWay(precision: String): List<Map<String, Any?>> {
        val face by lazy {
            val feature = pipeline.encode(golden.clip)
            val decoded = pipeline.session("decoder").run(mapOf("feature" to Tensor(longArrayOf(1, feature.size.toLong()), feature)))
            Face.decoded(feature, decoded, manifest.face, confidence = 1.0, Reason.OK, speechS = 0.0, narrowband = false)
        }
        val image = check("pipeline", "image", "image", mapOf("psnr_db" to (IMAGE[precision] ?: IMAGE_OF_OTHERS_DB))) { small(face.image) }
        val statistics = manifest.avatarStatistics ?: return listOf(image)
        val tolerance = mapOf("max_abs_relative" to (AVATAR[precision] ?: AVATAR_OF_OTHERS))
        val avatar = check("pipeline", "avatar", "avatar", tolerance) {
            avatarParameters(face, statistics, Style()).numbers.toSortedMap().values.toDoubleArray()
        }
        return listOf(image, avatar)
    }

    /** Each pixel the mean of 4 x 4. */
    private fun small(image: Image): DoubleArray {
        val width = image.width / IMAGE_REDUCTION
        return DoubleArray(3 * width * (image.height / IMAGE_REDUCTION)) { place ->
            val (row, column, channel) = listOf(place / 3 / width, place / 3 % width, place % 3)
            var sum = 0.0
            for (y in 0 until IMAGE_REDUCTION) {
                for (x in 0 until IMAGE_REDUCTION) {
                    sum += image.rgb[3 * ((IMAGE_REDUCTION * row + y) * image.width + IMAGE_REDUCTION * column + x) + channel]
                }
            }
            (sum / (IMAGE_REDUCTION * IMAGE_REDUCTION)).toFloat().toDouble()
        }
    }

    private fun check(part: String, output: String, goldenName: String, tolerance: Map<String, Double>?, values: () -> DoubleArray): Map<String, Any?> {
        val found = linkedMapOf<String, Any?>("part" to part, "output" to output, "psnr_db" to null, "cosine" to null, "max_abs_relative" to null, "problem" to null)
        try {
            val wanted = tolerance ?: throw CheckException("it cannot be checked: the bundle gives no tolerance", hint = "export it again")
            val agreement = agreement(output, golden.values(goldenName), Golden.kept(values()))
            found += agreement
            found["problem"] = missed(agreement, wanted)
        } catch (error: VoxtoonException) {
            found["problem"] = error.message
        }
        return found
    }

    private fun missed(agreement: Map<String, Double>, tolerance: Map<String, Double>): String? {
        tolerance["max_abs_relative"]?.let { most ->
            val got = agreement.getValue("max_abs_relative")
            if (!(got <= most)) return "max_abs_relative: got %.2g, expected at most %s".format(got, most)
        }
        tolerance["psnr_db"]?.let { least ->
            val got = agreement.getValue("psnr_db")
            if (!(got >= least)) return "psnr_db: got %.1f, expected at least %s".format(got, least)
        }
        return null
    }

    private fun agreement(what: String, reference: DoubleArray, got: DoubleArray): Map<String, Double> {
        if (reference.size != got.size) throw CheckException("$what has another size", got = got.size, expected = reference.size)
        if (!got.all(Double::isFinite)) throw CheckException("the output of $what holds values that are not finite")
        val scale = reference.maxOf(::abs)
        if (scale == 0.0) throw CheckException("$what cannot be checked: the reference is zero everywhere")
        var worst = 0.0
        var squares = 0.0
        for (i in got.indices) {
            val error = abs(got[i] - reference[i])
            worst = maxOf(worst, error)
            squares += error * error
        }
        val rms = sqrt(squares / got.size)
        val norms = sqrt(reference.sumOf { it * it }) * sqrt(got.sumOf { it * it })
        return linkedMapOf(
            "psnr_db" to if (rms == 0.0) PSNR_CEILING_DB else minOf(PSNR_CEILING_DB, 20 * log10(scale / rms)),
            "cosine" to if (norms == 0.0) 0.0 else got.indices.sumOf { got[it] * reference[it] } / norms,
            "max_abs_relative" to worst / scale,
        )
    }

    private fun doubles(tensor: Tensor): DoubleArray = tensor.values.let { all -> DoubleArray(all.size) { all[it].toDouble() } }
}
