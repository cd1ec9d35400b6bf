package voxtoon.face

import voxtoon.CheckException
import voxtoon.bundle.FaceShape
import voxtoon.engine.Tensor
import voxtoon.voice.Reason

/**
 * A reconstruction: an average-looking face that fits a voice, never a likeness of a person.
 *
 * A decoder gives either landmarks with a texture, or the picture itself; what it does not give is null.
 *
 * @property feature what the encoder made of the voice.
 * @property landmarks 68 points in iBUG order, x and y in turn, in pixels.
 * @property texture the face registered to the mean shape.
 * @property picture the face as it was drawn.
 * @property confidence from 0 to 1.
 * @property reason why the confidence is what it is.
 * @property speechS seconds of speech that were heard.
 * @property narrowband whether the voice came through a telephone line.
 */
public class Face internal constructor(
    public val feature: FloatArray,
    public val landmarks: FloatArray?,
    public val texture: Image?,
    public val picture: Image?,
    internal val shape: FaceShape,
    public val confidence: Double,
    public val reason: Reason,
    public val speechS: Double,
    public val narrowband: Boolean,
) {
    /** The picture, or the texture warped to the landmarks; computed when first asked for. */
    public val image: Image by lazy {
        picture ?: warp(texture!!, landmarks!!, shape.meanLandmarks!!, shape.warp!!.regularisation, shape.warp.boundaryPointsPerEdge)
    }

    internal companion object {
        /** The face in a decoder's outputs. */
        fun decoded(feature: FloatArray, outputs: Map<String, Tensor>, shape: FaceShape, confidence: Double, reason: Reason, speechS: Double, narrowband: Boolean): Face {
            val picture = outputs["image"]?.let(::image)
            val landmarks = outputs["landmarks"]?.values
            val texture = outputs["texture"]?.let(::image)
            val hasGeometry = landmarks != null && texture != null && shape.meanLandmarks != null && shape.warp != null
            if (picture == null && !hasGeometry) {
                val expected = "image, or landmarks and texture with their mean shape and warp"
                throw CheckException("the decoder makes no face", got = outputs.keys.joinToString(), expected = expected)
            }
            return Face(feature, landmarks.takeIf { picture == null }, texture.takeIf { picture == null }, picture, shape, confidence, reason, speechS, narrowband)
        }

        private fun image(tensor: Tensor) = Image(width = tensor.shape[2].toInt(), height = tensor.shape[1].toInt(), rgb = tensor.values)
    }
}
