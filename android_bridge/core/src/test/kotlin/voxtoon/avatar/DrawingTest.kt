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
    fun `parameters that nobody gave are the neutral avatar's`() {
        assertEquals(AvatarParameters.NEUTRAL, AvatarParameters())
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
    fun `an avatar moves to the next as Python's does, and then stands still`() {
        val stored = Vectors.index.field("morph")
        fun read(name: String) = stored.field(name).let { AvatarParameters.of(Vectors.numbers(it), it.field("skin").text()) }
        val morph = Morph(read("start"))
        morph.aim(read("aim"), stored.field("confidence").number(), atS = 1.0)
        for (moment in stored.field("moments").list()) {
            val now = morph.at(moment.field("at_s").number())
            assertEquals(moment.field("skin").text(), now.skin)
            for ((name, value) in Vectors.numbers(moment.field("parameters"))) assertEquals(name, value, now.numbers.getValue(name), 1e-12)
        }
        assertTrue(morph.isStill)
        assertThrows(InputException::class.java) { morph.at(0.5) }
    }
}
