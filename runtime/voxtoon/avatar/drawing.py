"""The avatar as an object: drawn, written as SVG, rasterised, saved."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypedDict

from numpy.typing import ArrayLike

from voxtoon.atomic_file import write_atomically
from voxtoon.avatar.evaluate import evaluate
from voxtoon.avatar.measurement import HeadLike
from voxtoon.avatar.parameters import (
    DEFAULT_GAIN,
    AvatarParameters,
    AvatarStatistics,
    avatar_parameters,
    picture_parameters,
)
from voxtoon.avatar.svg import to_svg
from voxtoon.avatar.template import load_template
from voxtoon.errors import InputError

MAX_SIZE_PX = 4096


class FaceLike(Protocol):
    """What is needed of a face to draw it: landmarks with a texture, or a picture."""

    @property
    def landmarks(self) -> ArrayLike | None:
        """68 points in pixels."""

    @property
    def texture(self) -> ArrayLike | None:
        """RGB in [0, 1], registered to the mean shape."""

    @property
    def mean_landmarks(self) -> ArrayLike | None:
        """The mean shape in pixels."""

    @property
    def picture(self) -> ArrayLike | None:
        """RGB in [0, 1], of a face without landmarks."""

    @property
    def head(self) -> HeadLike | None:
        """Where the head is in the picture, where that is known."""

    @property
    def confidence(self) -> float:
        """How far the face is to be trusted, from 0 to 1."""

    @property
    def confidence_floor(self) -> float:
        """Below this the avatar is the neutral one."""

    @property
    def avatar_statistics(self) -> AvatarStatistics | None:
        """What the measurements are over many faces."""


class _Options(TypedDict):
    statistics: AvatarStatistics
    confidence: float
    confidence_floor: float
    gain: float
    skin: str
    hair: str


@dataclass(frozen=True)
class Avatar:
    """A cartoon bust; an illustration, not a likeness."""

    parameters: AvatarParameters

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG: the same parameters give the same text."""
        return to_svg(evaluate(self.parameters), load_template())

    def png(self, *, size_px: int = 512) -> bytes:
        """Rasterise, transparent outside the round background.

        Parameters
        ----------
        size_px : int
            Width and height, from 1 to 4096.

        Raises
        ------
        InputError
            When `size_px` is out of range.
        """
        if not 1 <= size_px <= MAX_SIZE_PX:
            raise InputError("avatar size", got=f"{size_px} px", expected=f"1 to {MAX_SIZE_PX} px")
        import resvg_py

        # There is no text in the drawing; looking for fonts would take five times as long as drawing.
        raster = resvg_py.svg_to_bytes(
            svg_string=self.svg, width=size_px, height=size_px, skip_system_fonts=True
        )
        return bytes(raster)

    def save(self, path: str | os.PathLike[str], *, size_px: int = 512) -> Path:
        """Write ``.svg`` or ``.png``, by the suffix of `path`, whole or not at all.

        Raises
        ------
        InputError
            When the suffix is another, or the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".svg":
            content = self.svg.encode("utf-8")
        elif suffix == ".png":
            content = self.png(size_px=size_px)
        else:
            raise InputError("avatar file", got=f"{path.name!r}", expected="a name that ends in .svg or .png")
        write_atomically({path: content})
        return path


def draw(parameters: AvatarParameters) -> Avatar:
    """Draw an avatar from its parameters."""
    return Avatar(parameters)


def draw_avatar(
    face: FaceLike, *, gain: float = DEFAULT_GAIN, skin: str = "neutral", hair: str = "reconstructed"
) -> Avatar:
    """Draw the cartoon of a face.

    Parameters
    ----------
    face : FaceLike
        A face of the pipeline, with its confidence and the statistics of its bundle.
    gain, skin, hair
        How to draw, see `avatar_parameters`.

    Raises
    ------
    InputError
        When the face's bundle has no avatar statistics, or an option is not one of those offered.
    """
    if face.avatar_statistics is None:
        raise InputError(
            "this bundle has no avatar statistics",
            hint="draw(AvatarParameters(...)) draws without them; export a checkpoint that has them",
        )
    return draw(face_parameters(face, statistics=face.avatar_statistics, gain=gain, skin=skin, hair=hair))


def face_parameters(
    face: FaceLike,
    *,
    statistics: AvatarStatistics,
    gain: float = DEFAULT_GAIN,
    skin: str = "neutral",
    hair: str = "reconstructed",
) -> AvatarParameters:
    """What the cartoon of a face is drawn from; raises as `avatar_parameters` does."""
    options: _Options = {
        "statistics": statistics,
        "confidence": face.confidence,
        "confidence_floor": face.confidence_floor,
        "gain": gain,
        "skin": skin,
        "hair": hair,
    }
    if face.picture is not None:
        return picture_parameters(picture=face.picture, head=face.head, **options)
    if face.landmarks is None or face.texture is None or face.mean_landmarks is None:
        raise InputError("a face to draw", got="neither picture nor landmarks", expected="one of them")
    return avatar_parameters(
        landmarks=face.landmarks, texture=face.texture, mean_landmarks=face.mean_landmarks, **options
    )
