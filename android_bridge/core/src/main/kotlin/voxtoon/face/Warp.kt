package voxtoon.face

import kotlin.math.abs
import kotlin.math.sqrt
import voxtoon.CheckException
import voxtoon.InputException

/**
 * Draws a texture that is registered to the mean shape with its landmarks elsewhere: a linear polyharmonic spline, as in
 * Cole et al. (CVPR 2017).
 *
 * @param landmarks where the points are to be, x and y in turn, in pixels; pixel centres are whole numbers.
 * @param meanLandmarks where they are in the texture.
 * @param regularisation smoothing of the spline, above 0.
 * @param boundaryPointsPerEdge points that do not move, between the corners of each image edge.
 * @throws InputException when the points do not fit or are not finite.
 */
public fun warp(
    texture: Image,
    landmarks: FloatArray,
    meanLandmarks: FloatArray,
    regularisation: Double = 0.1,
    boundaryPointsPerEdge: Int = 1,
): Image {
    if (landmarks.size != meanLandmarks.size) {
        throw InputException("the two sets of landmarks do not fit", got = "${landmarks.size / 2} and ${meanLandmarks.size / 2} points")
    }
    if (!(landmarks + meanLandmarks).all { it - it == 0f }) throw InputException("a landmark is not finite", hint = "check the decoder of the bundle")
    if (!(regularisation > 0)) throw InputException("regularisation", got = regularisation, expected = "above 0")
    val spline = Spline(landmarks, meanLandmarks, boundaryPoints(texture.width, texture.height, boundaryPointsPerEdge), regularisation)
    return Image(texture.width, texture.height, spline.draw(texture))
}

/** x and y in turn of the corners and of the points between them, row by row. */
private fun boundaryPoints(width: Int, height: Int, perEdge: Int): DoubleArray {
    val steps = perEdge + 1
    val points = ArrayList<Double>()
    for (row in 0..steps) {
        for (column in 0..steps) {
            if (row in 1 until steps && column in 1 until steps) continue
            points += column * (width - 1.0) / steps
            points += row * (height - 1.0) / steps
        }
    }
    return points.toDoubleArray()
}

/** How far every pixel moves: `sum_i w_i phi(|p - c_i|) + v . p + b` with `phi(r) = -r`, x and y fitted independently. */
private class Spline(landmarks: FloatArray, meanLandmarks: FloatArray, boundary: DoubleArray, regularisation: Double) {
    private val count = (landmarks.size + boundary.size) / 2
    private val centres = DoubleArray(2 * count) { if (it < landmarks.size) landmarks[it].toDouble() else boundary[it - landmarks.size] }
    private val weights: Array<DoubleArray>

    init {
        val size = count + 3
        val system = Array(size) { row -> DoubleArray(size + 2) { column -> entry(row, column, landmarks, meanLandmarks, regularisation) } }
        weights = solve(system)
    }

    /** The system `[[A, B], [B^T, 0]]`, and in the last two columns what both coordinates are to be. */
    private fun entry(row: Int, column: Int, landmarks: FloatArray, meanLandmarks: FloatArray, regularisation: Double): Double = when {
        column >= count + 3 -> (2 * row + column - count - 3).let { i -> if (row < count && i < landmarks.size) landmarks[i].toDouble() - meanLandmarks[i] else 0.0 }
        row < count && column < count -> if (row == column) regularisation else -distance(row, column)
        row < count -> linear(row, column - count)
        column < count -> linear(column, row - count)
        else -> 0.0
    }

    private fun linear(centre: Int, term: Int): Double = if (term == 2) 1.0 else centres[2 * centre + term]

    private fun distance(a: Int, b: Int): Double {
        val dx = centres[2 * a] - centres[2 * b]
        val dy = centres[2 * a + 1] - centres[2 * b + 1]
        return sqrt(dx * dx + dy * dy)
    }

    fun draw(texture: Image): FloatArray {
        val out = FloatArray(texture.rgb.size)
        val dx2 = Array(count) { c -> FloatArray(texture.width) { x -> (x - centres[2 * c]).let { it * it }.toFloat() } }
        val moveX = FloatArray(texture.width)
        val moveY = FloatArray(texture.width)
        for (y in 0 until texture.height) {
            affine(y, moveX, moveY)
            for (c in 0 until count) {
                val dy2 = (y - centres[2 * c + 1]).let { it * it }.toFloat()
                add(dx2[c], dy2, -weights[c][0].toFloat(), -weights[c][1].toFloat(), moveX, moveY)
            }
            for (x in 0 until texture.width) sample(texture, x - moveX[x], y - moveY[x], out, 3 * (y * texture.width + x))
        }
        return out
    }

    private fun affine(y: Int, moveX: FloatArray, moveY: FloatArray) {
        for (x in moveX.indices) {
            moveX[x] = (x * weights[count][0] + y * weights[count + 1][0] + weights[count + 2][0]).toFloat()
            moveY[x] = (x * weights[count][1] + y * weights[count + 1][1] + weights[count + 2][1]).toFloat()
        }
    }

    /** One centre's part in the moves of one row; the loop is simple so that it runs in vector registers. */
    private fun add(dx2: FloatArray, dy2: Float, weightX: Float, weightY: Float, moveX: FloatArray, moveY: FloatArray) {
        for (x in dx2.indices) {
            val distance = sqrt(dx2[x] + dy2)
            moveX[x] += distance * weightX
            moveY[x] += distance * weightY
        }
    }

    private fun sample(image: Image, x: Float, y: Float, out: FloatArray, at: Int) {
        val insideX = x.coerceIn(0f, image.width - 1f)
        val insideY = y.coerceIn(0f, image.height - 1f)
        val left = minOf(insideX.toInt(), maxOf(image.width - 2, 0))
        val top = minOf(insideY.toInt(), maxOf(image.height - 2, 0))
        val rightWeight = insideX - left
        val bottomWeight = insideY - top
        val corner = 3 * (top * image.width + left)
        val stepX = if (image.width > 1) 3 else 0
        val stepY = if (image.height > 1) 3 * image.width else 0
        for (channel in 0 until 3) {
            val from = corner + channel
            val upper = mixed(image.rgb[from], image.rgb[from + stepX], rightWeight)
            val lower = mixed(image.rgb[from + stepY], image.rgb[from + stepX + stepY], rightWeight)
            out[at + channel] = mixed(upper, lower, bottomWeight)
        }
    }

    private fun mixed(a: Float, b: Float, share: Float): Float = a + (b - a) * share
}

/** Gauss elimination with the largest pivot; the columns beyond the square are the right sides. */
private fun solve(system: Array<DoubleArray>): Array<DoubleArray> {
    val size = system.size
    for (column in 0 until size) {
        val pivot = (column until size).maxByOrNull { abs(system[it][column]) }!!
        system[column] = system[pivot].also { system[pivot] = system[column] }
        if (system[column][column] == 0.0) throw CheckException("landmarks that make no warp", hint = "check the decoder of the bundle")
        for (row in column + 1 until size) {
            val factor = system[row][column] / system[column][column]
            if (factor == 0.0) continue
            for (k in column until system[row].size) system[row][k] -= factor * system[column][k]
        }
    }
    val sides = system[0].size - size
    val solution = Array(size) { DoubleArray(sides) }
    for (row in size - 1 downTo 0) {
        for (side in 0 until sides) {
            var sum = system[row][size + side]
            for (k in row + 1 until size) sum -= system[row][k] * solution[k][side]
            solution[row][side] = sum / system[row][row]
        }
    }
    return solution
}
