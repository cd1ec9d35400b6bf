package voxtoon.face

import voxtoon.InputException

/**
 * A picture.
 *
 * @property width in pixels.
 * @property height in pixels.
 * @property rgb in [0, 1], row by row, three values a pixel.
 */
public class Image(public val width: Int, public val height: Int, public val rgb: FloatArray) {
    init {
        if (width < 1 || height < 1 || rgb.size != 3 * width * height) {
            throw InputException("image of $width x $height", got = "${rgb.size} values", expected = 3 * width * height)
        }
    }
}
