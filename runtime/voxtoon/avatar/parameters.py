"""From measurements to the parameters that the template is drawn with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from numpy.typing import ArrayLike

from voxtoon.avatar.measurement import (
    HAIR_MEASUREMENTS,
    MEASUREMENTS,
    HeadLike,
    cheek_colour,
    cheek_colour_of_picture,
    measure,
    measure_picture,
)
from voxtoon.errors import InputError

DEFAULT_GAIN = 1.5  # caricature: differences from the mean face drawn one and a half times as large
# Smaller deviations cannot be seen: half a pixel of a face 120 px wide, and five steps of an 8-bit colour.
LEAST_SHAPE_STD, LEAST_COLOUR_STD = 0.004, 0.02
CLIP_STD = 2.5  # a measurement this many standard deviations out moves its parameter all the way
HAIR_CHOICES = ("reconstructed", "neutral")

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


def check_skin(skin: str) -> None:
    """Refuse a skin that is neither a tone of the template nor a colour."""
    if skin == "neutral":  # so that importing this module does not read the template
        return
    from voxtoon.avatar.template import load_template

    tones = load_template().tones["skin"]
    if skin not in tones and not (isinstance(skin, str) and _COLOUR.fullmatch(skin)):
        raise InputError("skin", got=repr(skin), expected=f"{', '.join(tones)} or #RRGGBB")


@dataclass(frozen=True)
class AvatarParameters:
    """What an avatar looks like: numbers in [-1, 1], 0 the neutral drawing, and the name of a skin.

    `skin` is a tone of the template's palette (``neutral`` and others) or a colour ``#RRGGBB``.
    `docs/avatar.md` says what each number moves.

    Raises
    ------
    InputError
        When a number is outside [-1, 1] or `skin` is neither a tone nor a colour.
    """

    face_width: float = 0.0
    jaw_width: float = 0.0
    chin_width: float = 0.0
    chin_length: float = 0.0
    nose_width: float = 0.0
    nose_length: float = 0.0
    mouth_width: float = 0.0
    upper_lip: float = 0.0
    lower_lip: float = 0.0
    eye_distance: float = 0.0
    eye_size: float = 0.0
    brow_height: float = 0.0
    brow_arch: float = 0.0
    brow_weight: float = 0.0
    hair_length: float = 0.0
    hair_volume: float = 0.0
    hair_flare: float = 0.0
    hairline: float = 0.0
    hair_part: float = 0.0
    hair_lightness: float = 0.0
    hair_warmth: float = 0.0
    skin: str = "neutral"

    def __post_init__(self) -> None:
        for name, value in self.numbers().items():
            if not isinstance(value, int | float) or not -1 <= value <= 1:
                raise InputError(
                    f"avatar parameter {name}", got=repr(value), expected="a number from -1 to 1"
                )
        check_skin(self.skin)

    def numbers(self) -> dict[str, float]:
        """All numeric parameters by name."""
        return {name: getattr(self, name) for name in MEASUREMENTS}

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into equal parameters."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AvatarParameters:
        """Read what `to_json` made; parameters that are left out are neutral."""
        unknown = sorted(set(data) - {field.name for field in fields(cls)})
        if unknown:
            raise InputError("unknown avatar parameters", got=", ".join(unknown), hint="see docs/avatar.md")
        return cls(**data)


NEUTRAL = AvatarParameters()


@dataclass(frozen=True)
class AvatarStatistics:
    """Mean and standard deviation of every measurement over many faces, as a bundle stores them.

    They are to be those of the faces that the model itself decodes from its training voices: these vary less
    than the faces it was trained on. A deviation of 0 keeps the parameter at 0; what measures any face should
    go through `with_least_std` before it is stored.

    Raises
    ------
    InputError
        When a measurement is missing or unknown, a value is not finite, or a deviation is negative.
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]

    def __post_init__(self) -> None:
        for kind, values in (("mean", self.mean), ("std", self.std)):
            if set(values) != set(MEASUREMENTS):
                odd = ", ".join(sorted(set(values) ^ set(MEASUREMENTS)))
                raise InputError(f"avatar statistics, {kind}: missing or unknown", got=odd)
            for name, value in values.items():
                if not math.isfinite(value) or (kind == "std" and value < 0):
                    raise InputError(
                        f"avatar statistics, {kind} of {name}", got=value, expected="a finite number"
                    )

    @classmethod
    def of(cls, measurements: list[dict[str, float]]) -> AvatarStatistics:
        """Statistics of many faces, each measured by `measure`, no deviation under the least."""
        count = len(measurements)
        if count < 2:
            raise InputError("avatar statistics need faces", got=count, expected="2 or more")
        mean = {name: math.fsum(one[name] for one in measurements) / count for name in MEASUREMENTS}
        std = {
            name: math.sqrt(math.fsum((one[name] - mean[name]) ** 2 for one in measurements) / count)
            for name in MEASUREMENTS
        }
        return cls(mean=mean, std=std).with_least_std()

    def with_least_std(self) -> AvatarStatistics:
        """Raise deviations smaller than what can be seen: to 0.004 of landmarks, 0.02 of colours; 0 stays 0.

        Measurements are shares of the face's width or height, or of the range of a colour. Where faces differ
        by less than half a pixel, dividing by that would draw the rounding of the arithmetic as a caricature.
        """
        least = dict.fromkeys(MEASUREMENTS, LEAST_SHAPE_STD)
        least |= dict.fromkeys(("brow_weight", *HAIR_MEASUREMENTS), LEAST_COLOUR_STD)
        std = {name: max(value, least[name]) if value else 0.0 for name, value in self.std.items()}
        return AvatarStatistics(mean=self.mean, std=std)

    def to_json(self) -> dict[str, dict[str, float]]:
        """A dictionary that `from_json` turns back into equal statistics."""
        return {"mean": dict(self.mean), "std": dict(self.std)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AvatarStatistics:
        """Read what `to_json` made."""
        if set(data) != {"mean", "std"}:
            raise InputError("avatar statistics", got=", ".join(sorted(data)), expected="mean, std")
        return cls(mean=data["mean"], std=data["std"])


def avatar_parameters(
    *,
    landmarks: ArrayLike,
    texture: ArrayLike,
    mean_landmarks: ArrayLike,
    statistics: AvatarStatistics,
    confidence: float,
    confidence_floor: float,
    gain: float = DEFAULT_GAIN,
    skin: str = "neutral",
    hair: str = "reconstructed",
) -> AvatarParameters:
    """Choose how a face is drawn.

    Every parameter is ``clip(gain * (measurement - mean) / std, -2.5, 2.5) / 2.5``, times a certainty that is
    0 at `confidence_floor` and 1 at full confidence. Below the floor the result is neutral.

    Parameters
    ----------
    landmarks, texture, mean_landmarks
        The face, see `measure`.
    statistics : AvatarStatistics
        What the measurements are over many faces.
    confidence, confidence_floor : float
        From 0 to 1: how far the face is to be trusted, and from where on it is drawn at all.
    gain : float
        Exaggeration about the mean face. This is caricature: a voice says little about a face, so most faces
        are near the mean. 0 draws the neutral avatar, 1 the measured differences.
    skin : str
        A tone of the palette, ``#RRGGBB``, or ``reconstructed``: the colour of the face's cheeks. Only the
        last depends on the voice.
    hair : {"reconstructed", "neutral"}
        Whether the hair's shape and colour follow the face.

    Raises
    ------
    InputError
        When an array has the wrong shape, or an option is not one of those above.
    """
    return _parameters(
        lambda: measure(landmarks, texture, mean_landmarks),
        lambda: cheek_colour(texture, mean_landmarks),
        statistics=statistics,
        certainty=_certainty(confidence, confidence_floor),
        gain=gain,
        skin=skin,
        hair=hair,
    )


def picture_parameters(
    *,
    picture: ArrayLike,
    head: HeadLike | None,
    statistics: AvatarStatistics,
    confidence: float,
    confidence_floor: float,
    gain: float = DEFAULT_GAIN,
    skin: str = "neutral",
    hair: str = "reconstructed",
) -> AvatarParameters:
    """Choose how a face is drawn of which there is a picture and no landmarks.

    Hair and colours follow the picture as in `avatar_parameters`; the shape of the face is neutral.

    Parameters
    ----------
    picture, head
        The face, see `measure_picture`; where nobody says where the head is, all is neutral.
    statistics, confidence, confidence_floor, gain, skin, hair
        As in `avatar_parameters`.

    Raises
    ------
    InputError
        When the picture has the wrong shape, or an option is not one of those above.
    """
    return _parameters(
        lambda: {} if head is None else measure_picture(picture, head),
        lambda: "neutral" if head is None else cheek_colour_of_picture(picture, head),
        statistics=statistics,
        certainty=_certainty(confidence, confidence_floor),
        gain=gain,
        skin=skin,
        hair=hair,
    )


def _parameters(
    measured: Callable[[], Mapping[str, float]],
    cheeks: Callable[[], str],
    *,
    statistics: AvatarStatistics,
    certainty: float | None,
    gain: float,
    skin: str,
    hair: str,
) -> AvatarParameters:
    """Parameters of what is measured; of what is not, neutral."""
    if hair not in HAIR_CHOICES:
        raise InputError("hair", got=repr(hair), expected=" or ".join(HAIR_CHOICES))
    if not (math.isfinite(gain) and gain >= 0):
        raise InputError("gain", got=gain, expected="0 or more")
    if skin != "reconstructed":
        check_skin(skin)
    if certainty is None:
        return AvatarParameters(skin="neutral" if skin == "reconstructed" else skin)
    numbers = {
        name: certainty * _parameter(gain, value, statistics.mean[name], statistics.std[name])
        for name, value in measured().items()
    }
    if hair == "neutral":
        numbers.update(dict.fromkeys(HAIR_MEASUREMENTS, 0.0))
    return AvatarParameters(**numbers, skin=cheeks() if skin == "reconstructed" else skin)


def _parameter(gain: float, measured: float, mean: float, std: float) -> float:
    if std == 0:
        return 0.0
    return min(max(gain * (measured - mean) / std, -CLIP_STD), CLIP_STD) / CLIP_STD


def _certainty(confidence: float, floor: float) -> float | None:
    """None below the floor; else from 0 at the floor to 1 at full confidence, rising fast at first."""
    if not confidence >= floor:  # NaN is below
        return None
    rest = (confidence - floor) / (1 - floor) if floor < 1 else 1.0
    rest = min(rest, 1.0)
    return rest * (2 - rest)
