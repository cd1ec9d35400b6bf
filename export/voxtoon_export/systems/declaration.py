"""What a declared system is: its variants, and the parts of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voxtoon.errors import InputError
from voxtoon.front_end import FrontEndSpec

from ..parts import PartSpec


@dataclass(frozen=True)
class Picture:
    """What is known of the faces of a system that draws pictures and no landmarks.

    Parameters
    ----------
    size_px
        Side of a picture.
    left, right, brows, chin
        Where the head is in most of them, as shares of the picture's side: its sides at the ears, the brows,
        the tip of the chin.
    statistics
        Mean and standard deviation of what the avatar measures in a picture, by name, for checkpoints that
        do not tell their own.
    """

    size_px: int
    left: float
    right: float
    brows: float
    chin: float
    statistics: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Variant:
    """A named size of a system, and the front end that feeds it.

    Parameters
    ----------
    name, system
        Its name, and the name of its system.
    front_end
        What makes the frames of its encoder.
    parts
        Its networks, by name.
    picture
        Of a system whose decoder draws pictures; None where it gives landmarks and a texture.
    """

    name: str
    system: str
    front_end: FrontEndSpec
    parts: dict[str, PartSpec]
    picture: Picture | None = None

    @property
    def parameters(self) -> int:
        """Number of trained values of all parts."""
        return sum(part.parameters for part in self.parts.values())


@dataclass(frozen=True)
class System:
    """A published voice-to-face method.

    Parameters
    ----------
    name, title
        Its name here, and what it is called in print.
    source
        The paper.
    variants
        Its variants, by name.
    """

    name: str
    title: str
    source: str
    variants: dict[str, Variant]

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises
        ------
        InputError
            There is none.
        """
        if name not in self.variants:
            known = ", ".join(self.variants)
            raise InputError(f"unknown variant of {self.name}", got=name, expected=f"one of {known}")
        return self.variants[name]
