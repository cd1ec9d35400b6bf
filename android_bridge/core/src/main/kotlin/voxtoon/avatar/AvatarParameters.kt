package voxtoon.avatar

import voxtoon.InputException
import voxtoon.bundle.AvatarStatistics
import voxtoon.bundle.StrictJson
import voxtoon.face.Face
import voxtoon.voice.Confidence

/**
 * What an avatar looks like: numbers in [-1, 1], 0 the neutral drawing, and a skin.
 *
 * The skin is a tone of the template (`neutral`, `honey`, `clay`, `cocoa`, `mist`, `lilac`, `sage`) or a colour `#RRGGBB`.
 * `docs/avatar.md` says what each number moves. No parameter stands for a group of people.
 *
 * @throws InputException when a number is outside [-1, 1] or the skin is neither a tone nor a colour.
 */
public data class AvatarParameters(
    val faceWidth: Double = 0.0,
    val jawWidth: Double = 0.0,
    val chinWidth: Double = 0.0,
    val chinLength: Double = 0.0,
    val noseWidth: Double = 0.0,
    val noseLength: Double = 0.0,
    val mouthWidth: Double = 0.0,
    val upperLip: Double = 0.0,
    val lowerLip: Double = 0.0,
    val eyeDistance: Double = 0.0,
    val eyeSize: Double = 0.0,
    val browHeight: Double = 0.0,
    val browArch: Double = 0.0,
    val browWeight: Double = 0.0,
    val hairLength: Double = 0.0,
    val hairVolume: Double = 0.0,
    val hairFlare: Double = 0.0,
    val hairline: Double = 0.0,
    val hairPart: Double = 0.0,
    val hairLightness: Double = 0.0,
    val hairWarmth: Double = 0.0,
    val skin: String = "neutral",
) {
    /** All numbers by the names that the template and the Python runtime use. */
    public val numbers: Map<String, Double>
        get() = linkedMapOf(
            "face_width" to faceWidth, "jaw_width" to jawWidth, "chin_width" to chinWidth, "chin_length" to chinLength,
            "nose_width" to noseWidth, "nose_length" to noseLength, "mouth_width" to mouthWidth, "upper_lip" to upperLip,
            "lower_lip" to lowerLip, "eye_distance" to eyeDistance, "eye_size" to eyeSize, "brow_height" to browHeight,
            "brow_arch" to browArch, "brow_weight" to browWeight, "hair_length" to hairLength, "hair_volume" to hairVolume,
            "hair_flare" to hairFlare, "hairline" to hairline, "hair_part" to hairPart, "hair_lightness" to hairLightness,
            "hair_warmth" to hairWarmth,
        )

    init {
        for ((name, value) in numbers) {
            if (!(value >= -1 && value <= 1)) throw InputException("avatar parameter $name", got = value, expected = "a number from -1 to 1")
        }
        checkSkin(skin)
    }

    /** JSON that [fromJson], and Python's `AvatarParameters.from_json`, turn back into equal parameters. */
    public fun toJson(): String = numbers.entries.joinToString(", ", "{", ", \"skin\": \"$skin\"}") { (name, value) -> "\"$name\": $value" }

    public companion object {
        /** The avatar of nobody. */
        @JvmField
        public val NEUTRAL: AvatarParameters = AvatarParameters()

        /** Parameters by name; those that are left out are neutral. */
        @JvmStatic
        @JvmOverloads
        public fun of(numbers: Map<String, Double>, skin: String = "neutral"): AvatarParameters {
            val unknown = numbers.keys - MEASUREMENTS.toSet()
            if (unknown.isNotEmpty()) throw InputException("unknown avatar parameters", got = unknown.joinToString(), hint = "see docs/avatar.md")
            fun value(name: String) = numbers[name] ?: 0.0
            return AvatarParameters(
                faceWidth = value("face_width"), jawWidth = value("jaw_width"), chinWidth = value("chin_width"),
                chinLength = value("chin_length"), noseWidth = value("nose_width"), noseLength = value("nose_length"),
                mouthWidth = value("mouth_width"), upperLip = value("upper_lip"), lowerLip = value("lower_lip"),
                eyeDistance = value("eye_distance"), eyeSize = value("eye_size"), browHeight = value("brow_height"),
                browArch = value("brow_arch"), browWeight = value("brow_weight"), hairLength = value("hair_length"),
                hairVolume = value("hair_volume"), hairFlare = value("hair_flare"), hairline = value("hairline"),
                hairPart = value("hair_part"), hairLightness = value("hair_lightness"), hairWarmth = value("hair_warmth"),
                skin = skin,
            )
        }

        /** Reads what [toJson] made; raises [InputException] where it holds anything else. */
        @JvmStatic
        public fun fromJson(text: String): AvatarParameters {
            val found = StrictJson.parse(text.toByteArray(), "avatar parameters") as? Map<*, *>
                ?: throw InputException("avatar parameters", expected = "a JSON object")
            val numbers = found.filterKeys { it != "skin" }.entries.associate { (name, value) ->
                val number = value as? Number ?: throw InputException("avatar parameter $name", got = value, expected = "a number from -1 to 1")
                name.toString() to number.toDouble()
            }
            val skin = found["skin"] ?: "neutral"
            return of(numbers, skin as? String ?: throw InputException("skin", got = skin, expected = "text"))
        }

        internal fun checkSkin(skin: String) {
            if (skin == "neutral") return // without reading the template
            val tones = Template.load().tones
            if (skin !in tones && !isColour(skin)) throw InputException("skin", got = "'$skin'", expected = "${tones.keys.joinToString()} or #RRGGBB")
        }

        private fun isColour(text: String): Boolean =
            text.length == 7 && text[0] == '#' && text.drop(1).all { it in '0'..'9' || it in 'A'..'F' || it in 'a'..'f' }
    }
}

/** What of a drawn hair follows the face. */
public enum class Hair {
    /** Silhouette, length and colour are the face's. */
    RECONSTRUCTED,

    /** Everybody's hair is drawn alike, and no colour depends on the voice. */
    NEUTRAL,
}

/**
 * How faces are drawn.
 *
 * @property gain exaggeration about the mean face, which is caricature: 0 draws the neutral avatar, 1 the measured differences.
 * @property skin a tone, a colour `#RRGGBB`, or `reconstructed`: the colour of the face's cheeks. Only the last depends on
 *   the voice.
 */
public data class Style(val gain: Double = 1.5, val skin: String = "neutral", val hair: Hair = Hair.RECONSTRUCTED) {
    init {
        if (!(gain >= 0 && gain < Double.POSITIVE_INFINITY)) throw InputException("gain", got = gain, expected = "0 or more")
        if (skin != RECONSTRUCTED) AvatarParameters.checkSkin(skin)
    }

    public companion object {
        /** The skin that is read from the face. */
        public const val RECONSTRUCTED: String = "reconstructed"
    }
}

private const val CLIP_STD = 2.5 // a measurement this many standard deviations out moves its parameter all the way

/**
 * What the cartoon of a face is drawn from.
 *
 * Every parameter is `clip(gain * (measurement - mean) / std, -2.5, 2.5) / 2.5`, times a certainty that is 0 at the
 * confidence floor and 1 at full confidence. Below the floor the avatar is neutral. Of a picture, which has no landmarks,
 * only the hair is measured; where nobody says where its head is, nothing is.
 */
internal fun avatarParameters(face: Face, statistics: AvatarStatistics, style: Style): AvatarParameters {
    val readsSkin = style.skin == Style.RECONSTRUCTED
    val certainty = certainty(face.confidence) ?: return AvatarParameters(skin = if (readsSkin) "neutral" else style.skin)
    val head = face.shape.head
    val measured = when {
        face.picture == null -> measure(face.landmarks!!, face.texture!!, face.shape.meanLandmarks!!)
        head != null -> measurePicture(face.picture, head)
        else -> emptyMap()
    }
    val numbers = measured.mapValues { (name, value) ->
        val mean = statistics.mean[name] ?: throw InputException("avatar statistics", got = "none of $name", expected = "all measurements")
        if (style.hair == Hair.NEUTRAL && name in HAIR_MEASUREMENTS) 0.0 else certainty * parameter(style.gain, value, mean, statistics.std.getValue(name))
    }
    val skin = when {
        !readsSkin -> style.skin
        face.picture == null -> cheekColour(face.texture!!, face.shape.meanLandmarks!!)
        head != null -> cheekColourOfPicture(face.picture, head)
        else -> "neutral"
    }
    return AvatarParameters.of(numbers, skin)
}

private fun parameter(gain: Double, measured: Double, mean: Double, std: Double): Double =
    if (std == 0.0) 0.0 else (gain * (measured - mean) / std).coerceIn(-CLIP_STD, CLIP_STD) / CLIP_STD

/** Null below the floor; else from 0 at the floor to 1 at full confidence, rising fast at first. */
private fun certainty(confidence: Double): Double? {
    if (!(confidence >= Confidence.FLOOR)) return null // NaN is below
    val rest = minOf((confidence - Confidence.FLOOR) / (1 - Confidence.FLOOR), 1.0)
    return rest * (2 - rest)
}
