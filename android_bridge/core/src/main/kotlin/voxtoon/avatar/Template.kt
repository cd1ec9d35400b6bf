package voxtoon.avatar

import voxtoon.InputException
import voxtoon.bundle.Node
import voxtoon.bundle.StrictJson

private const val FORMAT = 1L
private const val KAPPA = 0.5522847498 // control points of a quarter circle drawn as one cubic

internal class Point(val x: Double, val y: Double)

/** Moves [points] by `value * (move + scale * (base - about))`. */
internal class Rule(val parameter: String, val points: List<String>, val move: Point, val scale: Point, val about: Point)

/** A command of a path over point names. */
internal class PathCommand(val letter: Char, val points: List<String>)

/** One entry of the draw list. */
internal class Layer(
    val id: String,
    val path: List<PathCommand>,
    val fill: String?,
    val stroke: String?,
    val width: Double,
    val opacity: Double,
)

/** A parameter and its stops along one side of a grid. */
internal class Axis(val parameter: String, val stops: DoubleArray)

internal class ColourGrid(val axes: List<Axis>, val grid: List<List<String>>)

internal class Mix(val source: String, val other: String, val share: Double)

/** The template file that Python draws from, names resolved; `docs/avatar.md` specifies its language. */
internal class Template private constructor(node: Node) {
    val size: Int = node.field("size").int(1)
    val title: String = node.field("title").text()
    val description: String = node.field("description").text()
    val points = LinkedHashMap<String, Point>()
    val silhouetteAxes: List<Axis>
    val silhouettes: List<List<Map<String, Point>>>
    val rules: List<Rule>
    val tones: Map<String, String>
    val colourGrids: Map<String, ColourGrid>
    val fixedColours: Map<String, String>
    val mixes: Map<String, Mix>
    val layers: List<Layer>

    init {
        if (node.field("format").long() != FORMAT) throw InputException("avatar template format", expected = FORMAT)
        val groups = HashMap<String, List<String>>()
        for ((name, group) in node.field("groups").items { it.items(read = ::pair) }) {
            groups[name] = group.keys.toList()
            points.putAll(group)
        }
        for ((name, ellipse) in node.field("ellipses").items { it.numbers() }) {
            val around = ellipsePoints(ellipse).mapIndexed { index, point -> "$name.$index" to point }
            groups[name] = around.map { it.first }
            points.putAll(around)
        }
        val hair = node.field("silhouettes")
        silhouetteAxes = axes(hair)
        silhouettes = hair.field("grid").list().map { row -> row.list().map { cell -> cell.items(read = ::pair) } }
        groups[hair.field("group").text()] = silhouettes[0][0].keys.toList()
        rules = node.field("rules").list().map { rule(it, groups) }
        val colours = node.field("colours")
        tones = colours.field("tones").field("skin").items { it.text() }
        colourGrids = colours.field("grids").items { entry ->
            ColourGrid(axes(entry), entry.field("grid").list().map { row -> row.list().map { it.text() } })
        }
        fixedColours = colours.field("fixed").items { it.text() }
        mixes = colours.field("mixes").items { entry -> entry.list(3..3).let { Mix(it[0].text(), it[1].text(), it[2].number()) } }
        layers = node.field("draw").list().map(::layer)
    }

    companion object {
        private val loaded by lazy {
            val file = Template::class.java.getResourceAsStream("/voxtoon/avatar/template.json")
                ?: throw InputException("the avatar template is not in the library", hint = "keep its resources when you shrink the application")
            Template(Node(StrictJson.parse(file.use { it.readBytes() }, "template.json"), "template.json"))
        }

        /** The template that is part of the library, read once. */
        fun load(): Template = loaded

        private fun pair(node: Node): Point = node.numbers().let { Point(it[0], it[1]) }

        private fun axes(node: Node): List<Axis> = node.field("axes").list(2..2).map { axis -> axis.list(2..2).let { Axis(it[0].text(), it[1].numbers()) } }

        private fun rule(node: Node, groups: Map<String, List<String>>) = Rule(
            parameter = node.field("parameter").text(),
            points = texts(node.optional("points")) + texts(node.optional("groups")).flatMap(groups::getValue),
            move = node.optional("move")?.let(::pair) ?: Point(0.0, 0.0),
            scale = node.optional("scale")?.let(::pair) ?: Point(0.0, 0.0),
            about = node.optional("about")?.let(::pair) ?: Point(0.0, 0.0),
        )

        private fun texts(node: Node?): List<String> = node?.list().orEmpty().map { it.text() }

        private fun layer(node: Node) = Layer(
            id = node.field("id").text(),
            path = path(node.field("path").text()),
            fill = node.optional("fill")?.text(),
            stroke = node.optional("stroke")?.text(),
            width = node.optional("width")?.number() ?: 0.0,
            opacity = node.optional("opacity")?.number() ?: 1.0,
        )

        /** Twelve points, clockwise from the right: on the curve, control, control, on the curve, ... */
        private fun ellipsePoints(ellipse: DoubleArray): List<Point> {
            val (x, y, rx, ry) = ellipse.toList()
            val k = KAPPA
            val unit = listOf(
                1.0 to 0.0, 1.0 to k, k to 1.0, 0.0 to 1.0, -k to 1.0, -1.0 to k,
                -1.0 to 0.0, -1.0 to -k, -k to -1.0, 0.0 to -1.0, k to -1.0, 1.0 to -k,
            )
            return unit.map { (u, v) -> Point(x + rx * u, y + ry * v) }
        }

        private fun path(text: String): List<PathCommand> {
            if (text.startsWith("@")) {
                val p = List(12) { "${text.substring(1)}.$it" }
                val arcs = (0 until 4).map { PathCommand('C', listOf(p[3 * it + 1], p[3 * it + 2], p[(3 * it + 3) % 12])) }
                return listOf(PathCommand('M', listOf(p[0]))) + arcs + PathCommand('Z', emptyList())
            }
            val commands = ArrayList<PathCommand>()
            var names = ArrayList<String>()
            for (token in text.split(' ')) {
                if (token.length == 1 && token[0] in "MLCSZ") {
                    names = ArrayList()
                    commands += PathCommand(token[0], names)
                } else {
                    names += token
                }
            }
            return commands
        }
    }
}
