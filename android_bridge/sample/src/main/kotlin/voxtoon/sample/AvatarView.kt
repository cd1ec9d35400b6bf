package voxtoon.sample

import android.animation.ValueAnimator
import android.content.Context
import android.graphics.Canvas
import android.view.View
import voxtoon.AvatarUpdate
import voxtoon.android.drawOn
import voxtoon.avatar.AvatarParameters
import voxtoon.avatar.Drawing

/** Shows a caller's avatar and moves it from one update to the next. */
class AvatarView(context: Context) : View(context) {
    private var shown = AvatarParameters.NEUTRAL
    private var drawing = Drawing(shown)
    private var animation: ValueAnimator? = null

    /** Morphs to what was heard last. */
    fun show(update: AvatarUpdate) {
        animation?.cancel()
        val from = shown
        contentDescription = update.drawing.description
        animation = ValueAnimator.ofFloat(0f, 1f).apply {
            duration = MORPH_MS
            addUpdateListener { draw(from.towards(update.parameters, (it.animatedValue as Float).toDouble())) }
            start()
        }
    }

    override fun onDraw(canvas: Canvas): Unit = drawing.drawOn(canvas, minOf(width, height).toFloat())

    private fun draw(parameters: AvatarParameters) {
        shown = parameters
        drawing = Drawing(parameters)
        invalidate()
    }

    private companion object {
        const val MORPH_MS = 400L
    }
}
