"""The avatar: a cartoon bust drawn from a face, an illustration and not a likeness.

Face -> measurements (`measure`) -> parameters in [-1, 1] (`avatar_parameters`) -> SVG or PNG (`draw`).
`docs/avatar.md` specifies the template language, so that other platforms draw the same file.
"""

from voxtoon.avatar.drawing import Avatar, draw, draw_avatar
from voxtoon.avatar.measurement import MEASUREMENTS, measure
from voxtoon.avatar.parameters import (
    DEFAULT_GAIN,
    NEUTRAL,
    AvatarParameters,
    AvatarStatistics,
    avatar_parameters,
)

__all__ = [
    "DEFAULT_GAIN",
    "MEASUREMENTS",
    "NEUTRAL",
    "Avatar",
    "AvatarParameters",
    "AvatarStatistics",
    "avatar_parameters",
    "draw",
    "draw_avatar",
    "measure",
]
