package voxtoon.sample

import android.content.Context
import android.graphics.Canvas
import android.os.SystemClock
import android.view.View
import voxtoon.AvatarUpdate
import voxtoon.android.drawOn
import voxtoon.avatar.Drawing
import voxtoon.avatar.Morph

/** Shows a caller's avatar, which moves from one update to the next and then stands still. */
class AvatarView(context: Context) : View(context) {
    private val morph = Morph()

    /** Moves towards what was heard last. */
    fun show(update: AvatarUpdate) {
        contentDescription = update.drawing.description
        morph.aim(update.parameters, update.confidence, now())
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        Drawing(morph.at(now())).drawOn(canvas, minOf(width, height).toFloat())
        if (!morph.isStill) postInvalidateOnAnimation()
    }

    private fun now(): Double = SystemClock.uptimeMillis() / 1000.0
}
