package voxtoon.avatar

import java.math.BigDecimal
import java.math.RoundingMode
import kotlin.math.abs

/**
 * A command of an evaluated path.
 *
 * @property letter `M`, `L`, `C` or `Z`, as in SVG.
 * @property points x and y in turn.
 */
public class Command internal constructor(public val letter: Char, public val points: DoubleArray)

/**
 * One layer of a drawing.
 *
 * @property id its name, the same in every drawing.
 * @property commands its outline.
 * @property fill colour `#RRGGBB`, null where nothing is filled.
 * @property stroke colour of the line, null where there is none; its caps and joins are round.
 * @property width of the line.
 * @property opacity from 0 to 1.
 */
public class Shape internal constructor(
    public val id: String,
    public val commands: List<Command>,
    public val fill: String?,
    public val stroke: String?,
    public val width: Double,
    public val opacity: Double,
)

/**
 * An avatar, drawn: a cartoon bust, an illustration and not a likeness.
 *
 * Ids, commands and their number are the same for every avatar, so that one can be animated into another.
 *
 * @property parameters what it was drawn from.
 */
public class Drawing(public val parameters: AvatarParameters) {
    private val template = Template.load()

    /** Width and height of the canvas in units; x to the right, y down. */
    public val size: Int get() = template.size

    /** To be told wherever the output has a place for it. */
    public val title: String get() = template.title

    /** To be told wherever the output has a place for it: a cartoon, not a likeness. */
    public val description: String get() = template.description

    /** The layers, to be painted in order. */
    public val shapes: List<Shape> by lazy {
        val points = evaluatePoints(parameters, template)
        val colours = evaluateColours(parameters, template)
        template.layers.map { layer ->
            Shape(
                layer.id, commands(layer, points),
                fill = layer.fill?.let(colours::getValue), stroke = layer.stroke?.let(colours::getValue),
                width = layer.width, opacity = layer.opacity,
            )
        }
    }

    /** The drawing as SVG: the same parameters give the same text, byte for byte, here and in Python. */
    public val svg: String by lazy {
        buildString {
            append("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 $size $size\" width=\"$size\" height=\"$size\"")
            append(" role=\"img\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n")
            append("<title>$title</title>\n<desc>$description</desc>\n")
            shapes.forEach { appendPath(it) }
            append("</svg>\n")
        }
    }
}

private fun StringBuilder.appendPath(shape: Shape) {
    append("<path id=\"").append(shape.id).append("\" d=\"")
    for (command in shape.commands) {
        append(command.letter)
        command.points.forEachIndexed { index, value ->
            if (index > 0) append(' ')
            appendTenths(value)
        }
    }
    append("\" fill=\"").append(shape.fill ?: "none").append('"')
    if (shape.stroke != null) append(" stroke=\"").append(shape.stroke).append("\" stroke-width=\"").append(short(shape.width)).append('"')
    if (shape.opacity < 1) append(" opacity=\"").append(short(shape.opacity)).append('"')
    append("/>\n")
}

/** A number without digits that say nothing: `9`, `4.5`. */
private fun short(value: Double): String = BigDecimal(value.toString()).stripTrailingZeros().toPlainString()

/** One decimal of the exact binary value, halves to even, as Python rounds. */
private fun StringBuilder.appendTenths(value: Double) {
    val scaled = value * 10
    var tenths = Math.rint(scaled).toLong()
    if (abs(abs(scaled - Math.floor(scaled)) - 0.5) < 1e-6) {
        tenths = BigDecimal(value).setScale(1, RoundingMode.HALF_EVEN).unscaledValue().toLong()
    }
    if (tenths < 0) append('-')
    append(abs(tenths) / 10).append('.').append(abs(tenths) % 10)
}

/** Where every point of the template lies; `~name` is the mirror image of `name`. */
internal fun evaluatePoints(parameters: AvatarParameters, template: Template): Map<String, Point> {
    val values = parameters.numbers
    val base = LinkedHashMap(template.points)
    val cells = cell(template.silhouetteAxes, values).map { (weight, i, j) -> weight to template.silhouettes[i][j] }
    for (name in cells[0].second.keys) {
        var x = 0.0
        var y = 0.0
        for ((weight, silhouette) in cells) {
            x += weight * silhouette.getValue(name).x
            y += weight * silhouette.getValue(name).y
        }
        base[name] = Point(x, y)
    }
    val moved = LinkedHashMap(base)
    for (rule in template.rules) {
        val value = values.getValue(rule.parameter)
        for (name in rule.points) {
            val at = moved.getValue(name)
            val from = base.getValue(name)
            moved[name] = Point(
                at.x + value * (rule.move.x + rule.scale.x * (from.x - rule.about.x)),
                at.y + value * (rule.move.y + rule.scale.y * (from.y - rule.about.y)),
            )
        }
    }
    return moved + moved.entries.associate { (name, at) -> "~$name" to Point(template.size - at.x, at.y) }
}

/** Every colour slot as `#RRGGBB`. */
internal fun evaluateColours(parameters: AvatarParameters, template: Template): Map<String, String> {
    val colours = LinkedHashMap(template.fixedColours)
    colours["skin"] = template.tones[parameters.skin] ?: parameters.skin.uppercase()
    for ((slot, colour) in template.colourGrids) {
        colours[slot] = blend(cell(colour.axes, parameters.numbers).map { (weight, i, j) -> weight to colour.grid[i][j] })
    }
    for ((slot, mix) in template.mixes) {
        colours[slot] = blend(listOf(1 - mix.share to colours.getValue(mix.source), mix.share to mix.other))
    }
    return colours
}

/** The four neighbours on a grid of two axes and their bilinear weights. */
private fun cell(axes: List<Axis>, values: Map<String, Double>): List<Triple<Double, Int, Int>> {
    val (i, t) = interval(axes[0].stops, values.getValue(axes[0].parameter))
    val (j, u) = interval(axes[1].stops, values.getValue(axes[1].parameter))
    return listOf(
        Triple((1 - t) * (1 - u), i, j),
        Triple((1 - t) * u, i, j + 1),
        Triple(t * (1 - u), i + 1, j),
        Triple(t * u, i + 1, j + 1),
    )
}

/** The last interval that begins at or below [value], and how far into it, from 0 to 1. */
private fun interval(stops: DoubleArray, value: Double): Pair<Int, Double> {
    val index = (0 until stops.size - 1).last { stops[it] <= value }
    return index to (value - stops[index]) / (stops[index + 1] - stops[index])
}

/** Weighted mean of colours, byte by byte, halves rounded up. */
internal fun blend(parts: List<Pair<Double, String>>): String = colour { channel ->
    var sum = 0.0
    for ((weight, colour) in parts) sum += weight * colour.substring(1 + 2 * channel, 3 + 2 * channel).toInt(16)
    (sum + 0.5).toInt()
}

/** `#RRGGBB`, of the bytes of the channels 0 to 2. */
internal inline fun colour(byteOf: (Int) -> Int): String = buildString(7) {
    append('#')
    for (channel in 0 until 3) {
        val byte = byteOf(channel)
        append(HEXADECIMAL[byte shr 4]).append(HEXADECIMAL[byte and 0xF])
    }
}

internal const val HEXADECIMAL = "0123456789ABCDEF"

private fun commands(layer: Layer, points: Map<String, Point>): List<Command> {
    val found = ArrayList<Command>()
    var start = Point(0.0, 0.0)
    var current = start
    layer.path.forEachIndexed { index, command ->
        val at = command.points.map(points::getValue)
        if (command.letter == 'S') {
            val last = at.last()
            val isRing = layer.path.size == 3 && layer.path.last().letter == 'Z' && index == 1 && last.x == start.x && last.y == start.y
            found += smooth(listOf(current) + at, isRing)
        } else {
            found += Command(command.letter, DoubleArray(2 * at.size) { if (it % 2 == 0) at[it / 2].x else at[it / 2].y })
        }
        if (command.letter == 'M') start = at[0]
        if (at.isNotEmpty()) current = at.last()
    }
    return found
}

/** Cubics through all points of [run]: Catmull-Rom, handles a sixth of the chord between neighbours. */
private fun smooth(run: List<Point>, isRing: Boolean): List<Command> {
    val last = run.size - 1
    val line = listOf(if (isRing) run[last - 1] else run[0]) + run + (if (isRing) run[1] else run[last])
    return (0 until last).map { i ->
        val (a, b, c, d) = line.subList(i, i + 4)
        Command(
            'C',
            doubleArrayOf(
                b.x + (c.x - a.x) / 6, b.y + (c.y - a.y) / 6,
                c.x - (d.x - b.x) / 6, c.y - (d.y - b.y) / 6,
                c.x, c.y,
            ),
        )
    }
}
