"""Mixed precision under a goal: which layers get another scheme than the recipe's, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voxtoon.errors import CheckError

from .formats import CalibratedPart, made_by, size_bytes
from .judging import Judged
from .layer_effects import layer_effects
from .recipe import Override, Recipe

_LIGHTEST: Final = "weight_wi4_block32"
_SAFE: Final = "fp32"


@dataclass(frozen=True)
class Goal:
    """What the quantized parts must come to, together; None asks for nothing.

    Attributes
    ----------
    max_bytes
        Of all their files.
    max_angle_deg
        Mean angle between the features of float32 and the quantized parts.
    """

    max_bytes: int | None = None
    max_angle_deg: float | None = None


@dataclass(frozen=True)
class Found:
    """A recipe that meets a goal, and what was changed for it, one line each."""

    recipe: Recipe
    steps: tuple[str, ...]


def search(parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged, goal: Goal) -> Found:
    """Find a recipe that meets a goal.

    Fully connected layers, which hold most weights, go to four bits, the largest first, until the files are
    small enough. Then the layers that alone turn the feature most go back to float, the worst first, until
    it is true enough; a step that makes the files too large is not taken.

    Raises
    ------
    CheckError
        The goal cannot be met so: the nearest that was found is told.
    """
    steps: list[str] = []
    for part, layer, weights in _largest_fully_connected(parts):
        if _fits(parts, recipe, goal):
            break
        recipe = _with(recipe, part, layer, _LIGHTEST)
        steps.append(f"{part}.{layer}: {_LIGHTEST}, the files were too large and it has {weights:,} weights")
    _check_size(parts, recipe, goal)
    if goal.max_angle_deg is None:
        return Found(recipe, tuple(steps))
    angle = _angle(parts, recipe, judged)
    effects = [] if angle <= goal.max_angle_deg else list(layer_effects(parts, recipe, judged))
    for effect in sorted(effects, key=lambda item: -item.quality.angle_mean_deg):
        if angle <= goal.max_angle_deg:
            break
        safer = _with(recipe, effect.part, effect.layer, _SAFE)
        nearer = _angle(parts, safer, judged) if _fits(parts, safer, goal) else angle
        if nearer < angle:
            alone = f"alone it turned the feature by {effect.quality.angle_mean_deg:.2f} degrees"
            steps.append(f"{effect.part}.{effect.layer}: {_SAFE}, {alone}")
            recipe, angle = safer, nearer
    if angle > goal.max_angle_deg:
        raise CheckError(
            "the goal cannot be met: mean angle of the feature",
            got=f"{angle:.3g} degrees at {_bytes(parts, recipe):,} bytes",
            expected=f"at most {goal.max_angle_deg:g}",
            hint="that is the best found; ask for less",
        )
    return Found(recipe, tuple(steps))


def _largest_fully_connected(parts: Sequence[CalibratedPart]) -> Iterator[tuple[str, str, int]]:
    found = [
        (part.part.name, layer, weights)
        for part in parts
        for layer, weights in part.part.fully_connected.items()
    ]
    yield from sorted(found, key=lambda item: -item[2])


def _bytes(parts: Sequence[CalibratedPart], recipe: Recipe) -> int:
    return sum(map(size_bytes, made_by(recipe, parts).values()))


def _fits(parts: Sequence[CalibratedPart], recipe: Recipe, goal: Goal) -> bool:
    return goal.max_bytes is None or _bytes(parts, recipe) <= goal.max_bytes


def _check_size(parts: Sequence[CalibratedPart], recipe: Recipe, goal: Goal) -> None:
    if not _fits(parts, recipe, goal):
        raise CheckError(
            "the goal cannot be met: bytes of the quantized files",
            got=f"{_bytes(parts, recipe):,}",
            expected=f"at most {goal.max_bytes:,}",
            hint="that is the best found; ask for less",
        )


def _angle(parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged) -> float:
    return judged.quality(made_by(recipe, parts)).angle_mean_deg


def _with(recipe: Recipe, part: str, layer: str, scheme: str) -> Recipe:
    where = f"{part}.{layer}"
    kept = tuple(override for override in recipe.overrides if override.where != where)
    return replace(recipe, overrides=(*kept, Override(where, scheme)))
