"""Mixed precision under a goal: which layers get another scheme than the recipe's, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voxtoon.errors import CheckError

from .formats import CalibratedPart, made_by, size_bytes
from .judging import Judged
from .layer_effects import EffectCache
from .recipe import Override, Recipe
from .timing import run_ms

_LIGHTEST: Final = "weight_wi4_block32"
_FASTEST: Final = "static_wi8_ai8"
_SAFE: Final = "fp32"
_BEST: Final = "that is the best found; ask for less"


@dataclass(frozen=True)
class Goal:
    """What the quantized parts must come to, together; None asks for nothing.

    Attributes
    ----------
    max_bytes
        Of all their files.
    max_angle_deg
        Mean angle between the features of float32 and the quantized parts.
    max_ms
        From the frames of one voice to its texture and landmarks, one thread of this machine.
    """

    max_bytes: int | None = None
    max_angle_deg: float | None = None
    max_ms: float | None = None


@dataclass(frozen=True)
class Found:
    """A recipe that meets a goal, and what was changed for it, one line each."""

    recipe: Recipe
    steps: tuple[str, ...]


def search(
    parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged, goal: Goal, known: EffectCache
) -> Found:
    """Find a recipe that meets a goal.

    Layers that the recipe left in float go to integers until it is fast enough. Fully connected layers, which
    hold most weights, go to four bits, the largest first, until the files are small enough. Then the layers
    that alone turn the feature most go back to float, the worst first, until it is true enough; a step that
    makes the files too large or the run too slow is not taken.

    Raises
    ------
    CheckError
        The goal cannot be met so: the nearest that was found is told.
    """
    return _Search(parts, judged, goal, known).found(recipe)


@dataclass(frozen=True)
class _Search:
    parts: Sequence[CalibratedPart]
    judged: Judged
    goal: Goal
    known: EffectCache

    def found(self, recipe: Recipe) -> Found:
        steps: list[str] = []
        for part, layer, scheme in self._slow(recipe):
            if self._fast(recipe):
                break
            recipe = _with(recipe, part, layer, _FASTEST)
            steps.append(f"{part}.{layer}: {_FASTEST}, the run took too long and it was {scheme}")
        for part, layer, weights in self._largest_fully_connected():
            if self._fits(recipe):
                break
            recipe = _with(recipe, part, layer, _LIGHTEST)
            steps.append(
                f"{part}.{layer}: {_LIGHTEST}, the files were too large and it has {weights:,} weights"
            )
        self._check_size(recipe)
        self._check_time(recipe)
        if self.goal.max_angle_deg is not None:
            recipe = self._truer(recipe, self.goal.max_angle_deg, steps)
        return Found(recipe, tuple(steps))

    def _truer(self, recipe: Recipe, max_angle_deg: float, steps: list[str]) -> Recipe:
        """Give layers back to float, the worst first; tells of each in steps."""
        angle = self._angle(recipe)
        effects = [] if angle <= max_angle_deg else list(self.known.effects(self.parts, recipe, self.judged))
        for effect in sorted(effects, key=lambda item: -item.quality.angle_mean_deg):
            if angle <= max_angle_deg:
                break
            safer = _with(recipe, effect.part, effect.layer, _SAFE)
            if not self._fits(safer) or not self._fast(safer):
                continue
            nearer = self._angle(safer)
            if nearer < angle:
                alone = f"alone it turned the feature by {effect.quality.angle_mean_deg:.2f} degrees"
                steps.append(f"{effect.part}.{effect.layer}: {_SAFE}, {alone}")
                recipe, angle = safer, nearer
        if angle > max_angle_deg:
            raise CheckError(
                "the goal cannot be met: mean angle of the feature",
                got=f"{angle:.3g} degrees at {self._bytes(recipe):,} bytes",
                expected=f"at most {max_angle_deg:g}",
                hint=_BEST,
            )
        return recipe

    def _slow(self, recipe: Recipe) -> Iterator[tuple[str, str, str]]:
        """Layers with another scheme than the fastest, in order, and that scheme."""
        for part in self.parts:
            for layer, scheme in recipe.schemes(part.part.name, part.part.layers).items():
                if scheme != _FASTEST:
                    yield part.part.name, layer, scheme

    def _largest_fully_connected(self) -> Iterator[tuple[str, str, int]]:
        found = [
            (part.part.name, layer, weights)
            for part in self.parts
            for layer, weights in part.part.fully_connected.items()
        ]
        yield from sorted(found, key=lambda item: -item[2])

    def _bytes(self, recipe: Recipe) -> int:
        return sum(map(size_bytes, made_by(recipe, self.parts).values()))

    def _fits(self, recipe: Recipe) -> bool:
        return self.goal.max_bytes is None or self._bytes(recipe) <= self.goal.max_bytes

    def _check_size(self, recipe: Recipe) -> None:
        if not self._fits(recipe):
            raise CheckError(
                "the goal cannot be met: bytes of the quantized files",
                got=f"{self._bytes(recipe):,}",
                expected=f"at most {self.goal.max_bytes:,}",
                hint=_BEST,
            )

    def _ms(self, recipe: Recipe) -> float:
        return sum(
            run_ms(self.judged.format.load(content, precision="int8"), self.judged.inputs[name][0])
            for name, content in made_by(recipe, self.parts).items()
        )

    def _fast(self, recipe: Recipe) -> bool:
        return self.goal.max_ms is None or self._ms(recipe) <= self.goal.max_ms

    def _check_time(self, recipe: Recipe) -> None:
        if self.goal.max_ms is not None and (took_ms := self._ms(recipe)) > self.goal.max_ms:
            raise CheckError(
                "the goal cannot be met: milliseconds of one run",
                got=f"{took_ms:.3g}",
                expected=f"at most {self.goal.max_ms:g}",
                hint=_BEST,
            )

    def _angle(self, recipe: Recipe) -> float:
        return self.judged.quality(made_by(recipe, self.parts)).angle_mean_deg


def _with(recipe: Recipe, part: str, layer: str, scheme: str) -> Recipe:
    where = f"{part}.{layer}"
    kept = tuple(override for override in recipe.overrides if override.where != where)
    return replace(recipe, overrides=(*kept, Override(where, scheme)))
