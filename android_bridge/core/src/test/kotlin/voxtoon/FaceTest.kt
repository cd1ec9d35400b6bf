package voxtoon

import kotlin.math.abs
import org.junit.AfterClass
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Hair
import voxtoon.avatar.Style
import voxtoon.avatar.avatarParameters
import voxtoon.bundle.Bundle
import voxtoon.bundle.FaceShape
import voxtoon.bundle.Head
import voxtoon.bundle.Node
import voxtoon.engine.OnnxEngine
import voxtoon.face.Face
import voxtoon.face.Image
import voxtoon.voice.Reason
import voxtoon.voice.Resampler
import voxtoon.voice.SpeechDetector
import voxtoon.voice.isNarrowband
import voxtoon.voice.upperBandDb

/** From samples to avatar parameters, every step beside the Python runtime's. */
class FaceTest {
    @Test
    fun `real and synthesised voices give the feature, the landmarks and the avatar that Python gives`() {
        println("${Vectors.clips.size} voices, ${Vectors.clips.count { it.field("name").text().startsWith("real") }} of them real")
        for (clip in Vectors.clips) {
            val name = clip.field("name").text()
            val rate = clip.field("rate_hz").int()
            val tolerance = Vectors.tolerance(rate)
            val heard = heard(Vectors.samples(clip.field("samples")), rate, chunk = 997)
            val face = pipeline.face(heard)
            val feature = assertClose("$name: feature", Vectors.floats(clip.field("feature")), heard.feature, tolerance)
            assertClose("$name: descriptor", Vectors.floats(clip.field("descriptor")), heard.descriptor.map { it.toFloat() }.toFloatArray(), tolerance)
            val landmarks = assertClose("$name: landmarks", Vectors.floats(clip.field("landmarks")), face.landmarks!!, tolerance)
            assertEquals(name, clip.field("speech_s").number(), heard.speechS, 0.0)
            assertEquals(name, clip.field("sound_s").number(), heard.soundS, 0.0)
            assertEquals(name, clip.field("narrowband").isTrue, heard.narrowband)
            assertEquals(name, clip.field("confidence").number(), face.confidence, tolerance)
            assertEquals(name, clip.field("reason").text(), face.reason.name.lowercase())
            val parameters = assertParameters(name, clip.field("parameters"), pipeline.parameters(face, Style()), Vectors.parameterTolerance(rate))
            println("$name: feature $feature, landmarks $landmarks, parameters $parameters")
        }
    }

    @Test
    fun `however a voice is cut into chunks what is heard is the same to the bit`() {
        val clip = Vectors.clips.first { it.field("name").text() == "sample_48000" }
        val samples = Vectors.samples(clip.field("samples"))
        val features = listOf(1, 480, 997, samples.size).map { heard(samples, 48_000, chunk = it) }
        for (other in features) {
            assertTrue(features[0].feature.contentEquals(other.feature))
            assertTrue(features[0].descriptor.contentEquals(other.descriptor))
        }
    }

    @Test
    fun `the speech detector hears what Python's hears, for any chunks`() {
        val expected = Vectors.floats(Vectors.parts.field("speech"))
        for (chunk in intArrayOf(1_000, 160, 96_000)) {
            val detector = SpeechDetector(pipeline.session("voice_activity"))
            val got = ArrayList<Float>()
            for (at in Vectors.clip.indices step chunk) detector.push(Vectors.clip, at, minOf(chunk, Vectors.clip.size - at)) { got += it }
            assertClose("probabilities", expected, got.toFloatArray(), 1e-4)
        }
    }

    @Test
    fun `a telephone line is told by what it lacks`() {
        assertEquals(Vectors.parts.field("upper_band_db").number(), upperBandDb(Vectors.clip), 1e-3)
        assertTrue(!isNarrowband(Vectors.clip))
        val narrow = Vectors.parts.field("resampled").list().first { it.field("rate_hz").int() == 8_000 }
        assertTrue(isNarrowband(Vectors.floats(narrow.field("output"))))
    }

    @Test
    fun `the warp, the styles and the cheeks are Python's`() {
        val decoded = Vectors.parts.field("decoded")
        val face = decodedFace(1.0)
        assertClose("image", Vectors.floats(decoded.field("image")), face.image.rgb, 1e-4)
        val styles = mapOf(
            "plain" to (1.0 to Style()),
            "doubtful" to (0.5 to Style()),
            "below_the_floor" to (0.2 to Style(skin = "reconstructed")),
            "subdued" to (1.0 to Style(gain = 0.5, skin = "#102030", hair = Hair.NEUTRAL)),
            "own_skin" to (1.0 to Style(skin = "reconstructed")),
        )
        for ((name, style) in styles) {
            val parameters = avatarParameters(decodedFace(style.first), bundle.manifest.avatarStatistics!!, style.second)
            assertParameters(name, decoded.field("parameters").field(name), parameters, 1e-9)
        }
    }

    @Test
    fun `of a picture the hair is measured as Python does`() {
        val decoded = Vectors.parts.field("decoded")
        val shape = FaceShape(224, null, null, Head(0.2, 0.8, 0.35, 0.9), null, null, null)
        val picture = Image(224, 224, Vectors.floats(decoded.field("image")))
        val confidence = Vectors.clips[0].field("confidence").number()
        val face = Face(FloatArray(1), null, null, picture, shape, confidence, Reason.OK, 3.0, false)
        val parameters = avatarParameters(face, bundle.manifest.avatarStatistics!!, Style(skin = "reconstructed"))
        assertParameters("picture", decoded.field("picture_parameters"), parameters, 1e-9)
    }

    private fun decodedFace(confidence: Double): Face {
        val decoded = Vectors.parts.field("decoded")
        val texture = Image(224, 224, Vectors.floats(decoded.field("texture")))
        return Face(FloatArray(1), Vectors.floats(decoded.field("landmarks")), texture, null, bundle.manifest.face, confidence, Reason.OK, 3.0, false)
    }

    private fun heard(samples: ShortArray, rate: Int, chunk: Int) = pipeline.listener().let { listener ->
        val resampler = Resampler(rate)
        val floats = FloatArray(samples.size) { samples[it] / 32768f }
        for (at in floats.indices step chunk) resampler.push(floats, at, minOf(chunk, floats.size - at), listener::push)
        resampler.flush(listener::push)
        listener.heard()
    }

    /** The largest difference; asserts that it is at most [tolerance]. */
    private fun assertParameters(what: String, expected: Node, got: AvatarParameters, tolerance: Double): Double {
        val differences = Vectors.numbers(expected).mapValues { (name, value) -> abs(value - got.numbers.getValue(name)) }
        val worst = differences.entries.maxByOrNull { it.value }!!
        assertTrue("$what: ${worst.key} differs by ${worst.value}, at most $tolerance", worst.value <= tolerance)
        assertEquals(what, expected.field("skin").text(), got.skin)
        return worst.value
    }

    companion object {
        private val bundle = Bundle.open(defaultBundle)
        private val pipeline = Pipeline(bundle, OnnxEngine, threads = 1)

        @AfterClass
        @JvmStatic
        fun close() = pipeline.close()
    }
}
