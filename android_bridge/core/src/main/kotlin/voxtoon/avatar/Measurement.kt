package voxtoon.avatar

import kotlin.math.hypot
import kotlin.math.sqrt
import voxtoon.InputException
import voxtoon.bundle.Head
import voxtoon.face.Image

/** The names of all measurements of a face's shape, in the order of the Python runtime. */
internal val SHAPE_MEASUREMENTS = listOf(
    "face_width", "jaw_width", "chin_width", "chin_length", "nose_width", "nose_length", "mouth_width", "upper_lip", "lower_lip",
    "eye_distance", "eye_size", "brow_height", "brow_arch", "brow_weight",
)

/** Those that are read from texture or picture and follow the hair. */
internal val HAIR_MEASUREMENTS = listOf("hair_length", "hair_volume", "hair_flare", "hairline", "hair_part", "hair_lightness", "hair_warmth")

/** All of them. */
internal val MEASUREMENTS = SHAPE_MEASUREMENTS + HAIR_MEASUREMENTS

private const val BACKGROUND_LUMA = 0.95 // the faces stand before white; what is 0.25 darker is certainly not background
private const val LUMA_RANGE = 0.25
private const val COLOUR_RANGE = 0.35 // in a picture of any background, hair is what is at most so far from the crown's colour
private val BROW_POINTS = intArrayOf(18, 19, 20, 23, 24, 25)
private val CROWN = Area(half = 0.3, top = -0.58, low = -0.4)

/** Numbers without a unit for every name in [MEASUREMENTS], as `docs/avatar.md` defines them. */
internal fun measure(landmarks: FloatArray, texture: Image, meanLandmarks: FloatArray): Map<String, Double> {
    val mean = Points.of("mean landmarks", meanLandmarks)
    val shape = Points.of("landmarks", landmarks).alignedTo(mean)
    val luma = luma(texture)
    val cover = Plane(luma.rows, luma.columns) { ((BACKGROUND_LUMA - luma.at(it)) / LUMA_RANGE).coerceIn(0.0, 1.0) }
    val frame = HeadFrame.of(mean)
    return measureShape(shape) + ("brow_weight" to browWeight(luma, mean, frame)) + measureHair(texture, luma, cover, frame)
}

/** The measurements of the hair in a picture of a face without landmarks, before any background. */
internal fun measurePicture(picture: Image, head: Head): Map<String, Double> {
    val frame = HeadFrame.inPicture(head, picture)
    val crown = frame.box(CROWN, picture.width, picture.height)
    val colour = DoubleArray(3) { channel -> median(channelOf(picture, crown, channel)) }
    val cover = Plane(picture.height, picture.width) {
        var sum = 0.0
        for (channel in 0 until 3) sum += (picture.rgb[3 * it + channel] - colour[channel]).let { d -> d * d }
        1 - (sqrt(sum) / COLOUR_RANGE).coerceIn(0.0, 1.0)
    }
    return measureHair(picture, luma(picture), cover, frame)
}

/** Median colour of both cheeks as `#RRGGBB`. */
internal fun cheekColour(texture: Image, meanLandmarks: FloatArray): String {
    val mean = Points.of("mean landmarks", meanLandmarks)
    val noseY = mean.y(33)
    val mouthY = (48 until 60).sumOf { mean.y(it) } / 12
    val left = Box.of(mean.x(36), mean.x(48), noseY, mouthY, texture.width, texture.height)
    val right = Box.of(mean.x(54), mean.x(45), noseY, mouthY, texture.width, texture.height)
    return medianColour(texture, left.pixels() + right.pixels())
}

/** Median colour of both cheeks of a picture as `#RRGGBB`. */
internal fun cheekColourOfPicture(picture: Image, head: Head): String {
    val sides = HeadFrame.inPicture(head, picture).boxesBeside(Side(near = -0.32, far = -0.18, top = 0.5, low = 0.7), picture.width, picture.height)
    return medianColour(picture, sides.first.pixels() + sides.second.pixels())
}

private fun medianColour(image: Image, pixels: IntArray): String =
    colour { channel -> Math.rint(255 * median(channelOf(image, pixels, channel)).coerceIn(0.0, 1.0)).toInt() }

private fun channelOf(image: Image, pixels: IntArray, channel: Int) = DoubleArray(pixels.size) { image.rgb[3 * pixels[it] + channel].toDouble() }

/** Ratios of the aligned landmarks: widths over face width, heights over face height. */
private fun measureShape(p: Points): Map<String, Double> {
    val width = p.across(1, 15)
    val eyesY = p.meanY(36..47)
    val height = p.y(8) - eyesY
    if (width <= 0 || height <= 0) throw InputException("landmarks are no upright face", hint = "68 points in iBUG order, x to the right, y down")
    val eyeOpening = listOf(40 to 38, 41 to 37, 46 to 44, 47 to 43).sumOf { (low, top) -> p.y(low) - p.y(top) } / 4
    val browEndsY = listOf(17, 21, 22, 26).sumOf(p::y) / 4
    return mapOf(
        "face_width" to width / height,
        "jaw_width" to p.across(4, 12) / width,
        "chin_width" to p.across(6, 10) / width,
        "chin_length" to (p.y(8) - p.y(57)) / height,
        "nose_width" to p.across(31, 35) / width,
        "nose_length" to (p.y(33) - eyesY) / height,
        "mouth_width" to p.across(48, 54) / width,
        "upper_lip" to (p.meanY(61..63) - p.meanY(50..52)) / height,
        "lower_lip" to (p.meanY(56..58) - p.meanY(65..67)) / height,
        "eye_distance" to (p.meanX(42..47) - p.meanX(36..41)) / width,
        "eye_size" to (p.across(36, 39) + p.across(42, 45) + 2 * eyeOpening) / width,
        "brow_height" to (eyesY - p.meanY(17..26)) / height,
        "brow_arch" to (browEndsY - BROW_POINTS.sumOf(p::y) / BROW_POINTS.size) / height,
    )
}

/** Landmarks lie on the upper edge of the brows. */
private fun browWeight(luma: Plane, mean: Points, frame: HeadFrame): Double {
    val difference = BROW_POINTS.sumOf {
        luma.nearest(mean.x(it), mean.y(it) - 0.1 * frame.height) - luma.nearest(mean.x(it), mean.y(it) + 0.05 * frame.height)
    }
    return difference / BROW_POINTS.size / maxOf(skin(luma, frame), 0.1)
}

private fun skin(luma: Plane, frame: HeadFrame): Double =
    median(luma.of(frame.box(Area(half = 0.15, top = -0.25, low = -0.1), luma.columns, luma.rows)))

/** Hair, read in boxes of the frame; [cover] is 1 where head or hair is, 0 on the background. */
private fun measureHair(image: Image, luma: Plane, cover: Plane, frame: HeadFrame): Map<String, Double> {
    val skin = skin(luma, frame)
    val crown = frame.box(CROWN, image.width, image.height)
    // An empty crown has a colour too: the background's.
    val weight = DoubleArray(crown.size) { cover.at(crown[it]) + 1e-6 }
    val rgb = DoubleArray(3) { channel -> crown.indices.sumOf { weight[it] * image.rgb[3 * crown[it] + channel] } / weight.sum() }
    val hair = lumaOf(rgb[0], rgb[1], rgb[2])
    val contrast = maxOf(skin - hair, 0.08) // faint hair (grey or blurred) would divide by nothing
    val forehead = luma.of(frame.box(Area(half = 0.35, top = -0.5, low = -0.15), luma.columns, luma.rows))
    fun beside(plane: Plane, side: Side) = frame.boxesBeside(side, plane.columns, plane.rows).let { (one, other) -> plane.mean(one) to plane.mean(other) }
    fun total(side: Side) = beside(cover, side).let { (one, other) -> one + other }
    val (partLeft, partRight) = beside(luma, Side(near = -0.35, far = -0.1, top = -0.5, low = -0.2))
    val low = total(Side(near = 0.15, far = 0.4, top = 0.7, low = 1.0))
    val high = total(Side(near = 0.0, far = 0.25, top = 0.0, low = 0.3))
    return mapOf(
        "hair_length" to total(Side(near = 0.03, far = 0.3, top = 0.45, low = 1.0)) / 2,
        "hair_volume" to total(Side(near = -0.2, far = 0.15, top = -0.65, low = -0.1)) / 2,
        "hair_flare" to (low - high) / 2,
        "hairline" to forehead.sumOf { ((it - hair) / contrast).coerceIn(0.0, 1.0) } / forehead.size,
        "hair_part" to partRight - partLeft,
        "hair_lightness" to hair,
        "hair_warmth" to (rgb[0] - rgb[2]) / maxOf(hair, 0.1),
    )
}

private fun lumaOf(red: Double, green: Double, blue: Double): Double = red * 0.299 + green * 0.587 + blue * 0.114

private fun luma(image: Image): Plane {
    if (!image.rgb.all { it - it == 0f }) throw InputException("texture holds a value that is not finite")
    return Plane(image.height, image.width) { lumaOf(image.rgb[3 * it].toDouble(), image.rgb[3 * it + 1].toDouble(), image.rgb[3 * it + 2].toDouble()) }
}

private fun median(values: DoubleArray): Double {
    values.sort()
    val middle = values.size / 2
    return if (values.size % 2 == 1) values[middle] else (values[middle - 1] + values[middle]) / 2
}

/** 68 landmarks in double precision. */
private class Points(private val values: DoubleArray) {
    fun x(point: Int): Double = values[2 * point]

    fun y(point: Int): Double = values[2 * point + 1]

    fun across(a: Int, b: Int): Double = x(b) - x(a)

    fun meanX(points: IntRange): Double = points.sumOf(::x) / points.count()

    fun meanY(points: IntRange): Double = points.sumOf(::y) / points.count()

    /** Moved, turned and scaled onto [target] with the least squared distance (ordinary Procrustes). */
    fun alignedTo(target: Points): Points {
        val all = 0 until COUNT
        val (x0, y0, targetX, targetY) = doubleArrayOf(meanX(all), meanY(all), target.meanX(all), target.meanY(all)).toList()
        val cosine = all.sumOf { (x(it) - x0) * (target.x(it) - targetX) + (y(it) - y0) * (target.y(it) - targetY) }
        val sine = all.sumOf { (x(it) - x0) * (target.y(it) - targetY) - (y(it) - y0) * (target.x(it) - targetX) }
        val spread = all.sumOf { (x(it) - x0) * (x(it) - x0) + (y(it) - y0) * (y(it) - y0) }
        if (spread == 0.0) throw InputException("landmarks all lie in one point")
        // Of all rotations this one has the largest trace; the singular values of the general form are its parts.
        val length = hypot(cosine, sine)
        val scale = length / spread
        val c = if (length == 0.0) 1.0 else cosine / length
        val s = if (length == 0.0) 0.0 else sine / length
        return Points(
            DoubleArray(2 * COUNT) {
                val dx = x(it / 2) - x0
                val dy = y(it / 2) - y0
                if (it % 2 == 0) scale * (c * dx - s * dy) + targetX else scale * (s * dx + c * dy) + targetY
            },
        )
    }

    companion object {
        const val COUNT = 68

        fun of(name: String, values: FloatArray): Points {
            if (values.size != 2 * COUNT) throw InputException("$name: points", got = values.size / 2, expected = COUNT)
            if (!values.all { it - it == 0f }) throw InputException("$name: a value that is not finite")
            return Points(DoubleArray(values.size) { values[it].toDouble() })
        }
    }
}

private fun interface PixelValue {
    fun at(pixel: Int): Double
}

/** One number for each pixel, computed where it is asked for: most of a picture nobody looks at. */
private class Plane(val rows: Int, val columns: Int, private val value: PixelValue) {
    fun at(pixel: Int): Double = value.at(pixel)

    fun of(pixels: IntArray) = DoubleArray(pixels.size) { at(pixels[it]) }

    fun mean(box: Box): Double = box.pixels().let { pixels -> pixels.sumOf(::at) / pixels.size }

    fun nearest(x: Double, y: Double): Double {
        val column = Math.rint(x).toInt().coerceIn(0, columns - 1)
        val row = Math.rint(y).toInt().coerceIn(0, rows - 1)
        return at(row * columns + column)
    }
}

/** Pixels of a rectangle, cut to the image; never empty. */
private class Box(private val rows: IntRange, private val columns: IntRange, private val width: Int) {
    fun pixels(): IntArray {
        val across = columns.last - columns.first + 1
        return IntArray((rows.last - rows.first + 1) * across) { (rows.first + it / across) * width + columns.first + it % across }
    }

    companion object {
        fun of(x0: Double, x1: Double, y0: Double, y1: Double, width: Int, height: Int): Box {
            val left = minOf(maxOf(round(x0), 0), width - 1)
            val top = minOf(maxOf(round(y0), 0), height - 1)
            return Box(top until minOf(maxOf(round(y1), top + 1), height), left until minOf(maxOf(round(x1), left + 1), width), width)
        }

        private fun round(value: Double): Int = Math.rint(value).toInt()
    }
}

/** A box about the middle of the head, [half] a width to either side. */
private class Area(val half: Double, val top: Double, val low: Double)

/** Boxes left and right of the head, from [near] to [far] widths outside its edge. */
private class Side(val near: Double, val far: Double, val top: Double, val low: Double)

/** Places on the mean shape: x in face widths, y in face heights from the brows (0) to the chin (1). */
private class HeadFrame(val left: Double, val right: Double, val middleX: Double, val browY: Double, val height: Double) {
    fun box(area: Area, width: Int, height: Int): IntArray {
        val reach = area.half * (right - left)
        return Box.of(middleX - reach, middleX + reach, row(area.top), row(area.low), width, height).pixels()
    }

    fun boxesBeside(side: Side, width: Int, height: Int): Pair<Box, Box> {
        val face = right - left
        val one = Box.of(left - side.far * face, left - side.near * face, row(side.top), row(side.low), width, height)
        val other = Box.of(right + side.near * face, right + side.far * face, row(side.top), row(side.low), width, height)
        return one to other
    }

    private fun row(share: Double): Double = browY + share * height

    companion object {
        fun of(mean: Points): HeadFrame {
            val jaw = 0..16
            val browY = mean.meanY(17..26)
            return HeadFrame(jaw.minOf(mean::x), jaw.maxOf(mean::x), mean.meanX(27..30), browY, mean.y(8) - browY)
        }

        fun inPicture(head: Head, picture: Image): HeadFrame {
            val left = head.left * picture.width
            val right = head.right * picture.width
            val browY = head.brows * picture.height
            return HeadFrame(left, right, (left + right) / 2, browY, head.chin * picture.height - browY)
        }
    }
}
