package voxtoon.avatar

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import voxtoon.InputException
import voxtoon.Vectors

class DrawingTest {
    @Test
    fun `the same parameters are the same SVG as Python's, byte for byte`() {
        val drawings = Vectors.index.field("drawings").list()
        assertTrue(drawings.size > 40)
        for (drawing in drawings) {
            val stored = drawing.field("parameters")
            val parameters = AvatarParameters.of(Vectors.numbers(stored), stored.field("skin").text())
            assertEquals(drawing.field("svg").text(), Drawing(parameters).svg)
        }
    }

    @Test
    fun `every avatar has the same layers and commands, so that one can be animated into another`() {
        val structure = { parameters: AvatarParameters -> Drawing(parameters).shapes.map { shape -> shape.id to shape.commands.map { it.letter to it.points.size } } }
        assertEquals(structure(AvatarParameters.NEUTRAL), structure(AvatarParameters(hairLength = 1.0, hairline = -1.0, jawWidth = 0.7)))
    }

    @Test
    fun `the drawing says that it is a cartoon and not a likeness`() {
        assertTrue(Drawing(AvatarParameters.NEUTRAL).svg.contains("not a likeness"))
    }

    @Test
    fun `parameters come back from JSON, and what is no parameter is refused`() {
        val parameters = AvatarParameters(hairLength = 0.25, mouthWidth = -1.0, skin = "lilac")
        assertEquals(parameters, AvatarParameters.fromJson(parameters.toJson()))
        for (text in listOf("[]", "{\"hair_length\": 2}", "{\"age\": 0.1}", "{\"hair_length\": \"long\"}", "{\"skin\": \"green\"}")) {
            assertThrows(text, InputException::class.java) { AvatarParameters.fromJson(text) }
        }
    }

    @Test
    fun `half way between two avatars is the mean of their parameters`() {
        val half = AvatarParameters(eyeSize = -0.5).towards(AvatarParameters(eyeSize = 0.5, hairPart = 1.0), 0.5)
        assertEquals(AvatarParameters(hairPart = 0.5), half)
    }
}
