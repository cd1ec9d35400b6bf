package voxtoon.android

import android.app.Person
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Path
import android.graphics.drawable.Icon
import voxtoon.avatar.Command
import voxtoon.avatar.Drawing
import voxtoon.avatar.Shape

/** The drawing on a canvas of its own, transparent outside of the round background; a square of [sizePx]. */
public fun Drawing.toBitmap(sizePx: Int = 256): Bitmap {
    val bitmap = Bitmap.createBitmap(sizePx, sizePx, Bitmap.Config.ARGB_8888)
    drawOn(Canvas(bitmap), sizePx.toFloat())
    return bitmap
}

/** Paints the drawing into a square of [sizePx] at the canvas's origin; for a view that animates it. */
public fun Drawing.drawOn(canvas: Canvas, sizePx: Float) {
    val paint = Paint(Paint.ANTI_ALIAS_FLAG)
    paint.strokeCap = Paint.Cap.ROUND
    paint.strokeJoin = Paint.Join.ROUND
    canvas.save()
    canvas.scale(sizePx / size, sizePx / size)
    for (shape in shapes) paintShape(canvas, shape, paint)
    canvas.restore()
}

/** The drawing as an icon, for notifications and shortcuts. */
public fun Drawing.toIcon(sizePx: Int = 256): Icon = Icon.createWithBitmap(toBitmap(sizePx))

/**
 * A caller with the drawing for a picture; Android has such a thing from API 28 on, which the application checks.
 *
 * @param name as the application knows it; it never comes from the voice.
 */
@NeedsApi(28)
public fun Drawing.toPerson(name: CharSequence): Person = Person.Builder().setName(name).setIcon(toIcon()).setImportant(true).build()

private fun paintShape(canvas: Canvas, shape: Shape, paint: Paint) {
    val path = path(shape.commands)
    shape.fill?.let {
        paint.style = Paint.Style.FILL
        paint.color = colour(it, shape.opacity)
        canvas.drawPath(path, paint)
    }
    shape.stroke?.let {
        paint.style = Paint.Style.STROKE
        paint.strokeWidth = shape.width.toFloat()
        paint.color = colour(it, shape.opacity)
        canvas.drawPath(path, paint)
    }
}

private fun path(commands: List<Command>): Path {
    val path = Path()
    for (command in commands) {
        val p = FloatArray(command.points.size) { command.points[it].toFloat() }
        when (command.letter) {
            'M' -> path.moveTo(p[0], p[1])
            'L' -> for (i in p.indices step 2) path.lineTo(p[i], p[i + 1])
            'C' -> path.cubicTo(p[0], p[1], p[2], p[3], p[4], p[5])
            'Z' -> path.close()
        }
    }
    return path
}

/** No layer has both a line and a surface, so that its opacity is that of its one colour. */
private fun colour(rgb: String, opacity: Double): Int = Color.parseColor(rgb) and 0xFFFFFF or (Math.round(255 * opacity).toInt() shl 24)
