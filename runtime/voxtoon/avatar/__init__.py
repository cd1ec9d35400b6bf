"""The avatar: a cartoon bust drawn from a face, an illustration and not a likeness.

Face -> measurements (`measure`) -> parameters in [-1, 1] (`avatar_parameters`) -> SVG or PNG (`draw`).
`docs/avatar.md` specifies the template language, so that other platforms draw the same file.
"""

from voxtoon.avatar.drawing import Avatar, draw, draw_avatar, face_parameters
from voxtoon.avatar.measurement import HAIR_MEASUREMENTS, MEASUREMENTS, measure, measure_picture
from voxtoon.avatar.morph import Morph, time_constant_s
from voxtoon.avatar.parameters import (
    DEFAULT_GAIN,
    NEUTRAL,
    AvatarParameters,
    AvatarStatistics,
    avatar_parameters,
    picture_parameters,
)

__all__ = [
    "DEFAULT_GAIN",
    "HAIR_MEASUREMENTS",
    "MEASUREMENTS",
    "NEUTRAL",
    "Avatar",
    "AvatarParameters",
    "AvatarStatistics",
    "Morph",
    "avatar_parameters",
    "draw",
    "draw_avatar",
    "face_parameters",
    "measure",
    "measure_picture",
    "picture_parameters",
    "time_constant_s",
]
