package voxtoon.avatar

import kotlin.math.exp
import voxtoon.InputException

/**
 * Parameters that follow the faces of a call without a jump.
 *
 * Each moves towards where it is aimed at as `distance * exp(-time / time constant)`: never beyond it, and the same however
 * often it is looked at. The constant is 1.2 s at no confidence and 0.3 s at full: early faces jump most from one update to
 * the next, and are trusted least. A skin moves with the numbers, byte by byte.
 */
public class Morph @JvmOverloads constructor(start: AvatarParameters = AvatarParameters.NEUTRAL) {
    private var start = start
    private var aim = start
    private var now = start
    private var aimedS = 0.0
    private var nowS = 0.0
    private var constantS = FAST_S

    /** Whether it has arrived: nothing needs to be drawn again. */
    public val isStill: Boolean get() = now == aim

    /** Move towards these from now on. */
    public fun aim(parameters: AvatarParameters, confidence: Double, atS: Double) {
        start = at(atS)
        aim = parameters
        aimedS = atS
        constantS = SLOW_S + (FAST_S - SLOW_S) * confidence.coerceIn(0.0, 1.0)
    }

    /** The parameters at a time; throws [InputException] where it lies before one that was asked for. */
    public fun at(timeS: Double): AvatarParameters {
        if (!(timeS >= nowS)) throw InputException("time of a morph", got = "$timeS s", expected = "$nowS s or later")
        nowS = timeS
        if (!isStill) {
            val rest = exp((aimedS - timeS) / constantS)
            now = if (rest < REST) aim else between(1 - rest)
        }
        return now
    }

    private fun between(way: Double): AvatarParameters {
        val last = aim.numbers
        val numbers = start.numbers.mapValues { (name, value) -> value + way * (last.getValue(name) - value) }
        val template = Template.load()
        val skin = if (start.skin == aim.skin) aim.skin else blend(listOf(1 - way to skin(start, template), way to skin(aim, template)))
        return AvatarParameters.of(numbers, skin)
    }

    private fun skin(parameters: AvatarParameters, template: Template): String = evaluateColours(parameters, template).getValue("skin")

    private companion object {
        const val SLOW_S = 1.2
        const val FAST_S = 0.3

        /** Share of the way at which the movement ends: nobody sees the difference. */
        const val REST = 0.002
    }
}
