"""What recipes come to on calibrated parts, one after the other: bytes, milliseconds, and the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxtoon.bundle import ENCODER
from voxtoon.errors import VoxtoonError

from .formats import CalibratedPart, size_bytes
from .judging import Judged
from .quality import Quality
from .recipe import Override, Recipe
from .timing import run_ms

if TYPE_CHECKING:
    from voxtoon_export.lowering import Content


@dataclass(frozen=True)
class Trials:
    """Parts to try recipes on that differ in their overrides alone, and the voices to judge by.

    A part that has the schemes that it had in the recipe before is not made again.
    """

    parts: Sequence[CalibratedPart]
    judged: Judged
    _last: dict[str, tuple[Mapping[str, str], Content]] = field(default_factory=dict, repr=False)

    def made(self, recipe: Recipe) -> dict[str, Content]:
        """The artefact of each part by its name."""
        for part in self.parts:
            name = part.part.name
            schemes = recipe.schemes(name, part.part.layers)
            if name not in self._last or self._last[name][0] != schemes:
                self._last[name] = schemes, part.quantize(schemes, recipe)
        return {name: content for name, (_, content) in self._last.items()}

    def possible(self, recipe: Recipe) -> bool:
        """Whether the format can do it: blocks, for one, must fit into the rows of a layer."""
        try:
            self.made(recipe)
        except VoxtoonError:
            return False
        return True

    def size_bytes(self, recipe: Recipe) -> int:
        """Of all artefacts."""
        return sum(map(size_bytes, self.made(recipe).values()))

    @property
    def between_voice_and_face(self) -> list[CalibratedPart]:
        """The parts without step and head, whose schemes are the encoder's, if that is there too."""
        twice = any(part.part.name == ENCODER for part in self.parts)
        return [part for part in self.parts if not (twice and self.judged.is_streamed(part.part.name))]

    def ms(self, recipe: Recipe) -> float:
        """Of one run of every part on the way to a face, one thread of this machine."""
        made, took_ms = self.made(recipe), 0.0
        for part in self.between_voice_and_face:
            name = part.part.name
            session = self.judged.format.load(made[name], precision="int8")
            took_ms += run_ms(session, self.judged.run_of(name, session))
        return took_ms

    def quality(self, recipe: Recipe) -> Quality:
        """Against the float parts, on the voices."""
        return self.judged.quality(self.made(recipe))


def with_scheme(recipe: Recipe, part: str, layer: str, scheme: str) -> Recipe:
    """Return a recipe with another scheme for one layer."""
    where = f"{part}.{layer}"
    kept = tuple(override for override in recipe.overrides if override.where != where)
    return replace(recipe, overrides=(*kept, Override(where, scheme)))
