"""Mixed precision under a goal: which layers get another scheme than the recipe's, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Final

from voxtoon.errors import CheckError, InputError

from .formats import CalibratedPart
from .judging import Judged
from .layer_effects import EffectCache, LayerEffect
from .quality import Quality
from .recipe import SCHEMES, Recipe
from .trials import Trials, with_scheme

_FASTEST: Final = "static_wi8_ai8"
_EIGHT: Final = 8  # bits: what is not below is no lighter than the default


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

    Raises
    ------
    InputError
        One of them is negative, or not a number.
    """

    max_bytes: int | None = None
    max_angle_deg: float | None = None
    max_ms: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not value >= 0:
                raise InputError(f"goal {name}", got=value, expected="0 or more")


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
    hold most weights, go to the fewest bits that the format has, the largest first, until the files are small
    enough; each of them then gets the scheme (blocks, factors, a palette, its own) that turns the feature
    least, or changes the face least where features are as they were, among those that are small enough too.
    Then the layers that alone turn the feature most get truer schemes, the worst first, until it is true
    enough; a step that makes the files too large or the run too slow is not taken.

    Parameters
    ----------
    parts
        Calibrated for factors, if the format has them and the goal is one of bytes.

    Raises
    ------
    InputError
        A goal of time for a format whose engine is not on this machine.
    CheckError
        The goal cannot be met so: the nearest that was found is told, and how.
    """
    if goal.max_ms is not None and not judged.format.timed:
        raise InputError(
            f"a goal of time for {judged.format.name}",
            got=f"{goal.max_ms:g} ms",
            expected="a format whose speed can be measured on this machine",
        )
    return _Search(Trials(parts, judged), goal, known).found(recipe)


@dataclass(frozen=True)
class _Layer:
    """A fully connected layer, and how many weights it has."""

    part: str
    name: str
    weights: int

    def scheme(self, recipe: Recipe) -> str:
        """The name of the scheme that a recipe gives it."""
        return recipe.schemes(self.part, [self.name])[self.name]


@dataclass(frozen=True)
class _Search:
    tried: Trials
    goal: Goal
    known: EffectCache

    def found(self, recipe: Recipe) -> Found:
        steps: list[str] = []
        for part, layer, scheme in self._slow(recipe):
            if self._fast(recipe):
                break
            recipe = with_scheme(recipe, part, layer, _FASTEST)
            steps.append(f"{part}.{layer}: {_FASTEST}, the run took too long and it was {scheme}")
        recipe = self._lighter(recipe, steps)
        self._check_time(recipe)
        if self.goal.max_angle_deg is not None:
            recipe = self._truer(recipe, self.goal.max_angle_deg, steps)
        return Found(recipe, tuple(steps))

    def _slow(self, recipe: Recipe) -> Iterator[tuple[str, str, str]]:
        """Layers with another scheme than the fastest, in order, and that scheme."""
        for part in self.tried.between_voice_and_face:
            for layer, scheme in recipe.schemes(part.part.name, part.part.layers).items():
                if scheme != _FASTEST:
                    yield part.part.name, layer, scheme

    def _lighter(self, recipe: Recipe, steps: list[str]) -> Recipe:
        """Give fully connected layers fewer bits until the files are small enough; tells of each in steps."""
        given = recipe
        changed = []
        for layer in self._largest_fully_connected():
            if self._fits(recipe):
                break
            lightest = next(self._with_fewer_bits(recipe, layer), recipe)
            if self.tried.size_bytes(lightest) < self.tried.size_bytes(recipe):
                recipe = lightest
                changed.append(layer)
        self._check_size(recipe)
        for layer in changed:  # they have the fewest bits, which may be fewer than are needed
            recipe = self._truest(recipe, layer, layer.scheme(given), steps)
        return recipe

    def _truest(self, recipe: Recipe, layer: _Layer, before: str, steps: list[str]) -> Recipe:
        """Give a layer, of its scheme before and those of fewer bits, the one that changes the face least."""
        unchanged = with_scheme(recipe, layer.part, layer.name, before)
        found = {}
        for candidate in chain([unchanged], self._with_fewer_bits(unchanged, layer)):
            if self._fits(candidate) and self._fast(candidate):
                found[layer.scheme(candidate)] = candidate, self.tried.quality(candidate)
        if not found:
            return recipe
        best = min(found, key=lambda scheme: _error(found[scheme][1]))
        if best != before:
            reason = f"the files were too large and it has {layer.weights:,} weights"
            compared = _compared(best, {scheme: quality for scheme, (_, quality) in found.items()})
            steps.append(f"{layer.part}.{layer.name}: {best}, {reason}; {compared}")
        return found[best][0]

    def _with_fewer_bits(self, recipe: Recipe, layer: _Layer) -> Iterator[Recipe]:
        """Recipes with another scheme for a layer, the fewest bits first, that the format can do."""
        bits = min(SCHEMES[layer.scheme(recipe)].bits_per_weight, _EIGHT)
        schemes = self.tried.judged.format.schemes
        for name in sorted(schemes, key=lambda name: SCHEMES[name].bits_per_weight):
            changed = with_scheme(recipe, layer.part, layer.name, name)
            if SCHEMES[name].bits_per_weight < bits and self.tried.possible(changed):
                yield changed

    def _largest_fully_connected(self) -> list[_Layer]:
        found = [
            _Layer(part.part.name, layer, weights)
            for part in self.tried.between_voice_and_face
            for layer, weights in part.part.fully_connected.items()
        ]
        return sorted(found, key=lambda item: -item.weights)

    def _truer(self, recipe: Recipe, max_angle_deg: float, steps: list[str]) -> Recipe:
        """Give layers more bits, those that turn the feature most first; tells of each in steps."""
        angle, parts = self.tried.quality(recipe).angle_mean_deg, self.tried.between_voice_and_face
        enough = angle <= max_angle_deg
        effects = [] if enough else list(self.known.effects(parts, recipe, self.tried.judged))
        for effect in sorted(effects, key=lambda item: -item.quality.angle_mean_deg):
            if angle <= max_angle_deg:
                break
            for safer in self._with_more_bits(recipe, effect):
                if not self._fits(safer) or not self._fast(safer):
                    continue
                nearer = self.tried.quality(safer).angle_mean_deg
                if nearer < angle:
                    scheme = safer.overrides[-1].scheme
                    alone = f"alone it turned the feature by {effect.quality.angle_mean_deg:.2f} degrees"
                    steps.append(f"{effect.part}.{effect.layer}: {scheme}, {alone}")
                    recipe, angle = safer, nearer
                break
        if angle > max_angle_deg:
            raise _missed(
                "mean angle of the feature",
                got=f"{angle:.3g} degrees at {self.tried.size_bytes(recipe):,} bytes",
                expected=f"at most {max_angle_deg:g}",
                best=recipe,
            )
        return recipe

    def _with_more_bits(self, recipe: Recipe, effect: LayerEffect) -> Iterator[Recipe]:
        """Recipes with a scheme for a layer that rounds less, the truest first, that the format can do."""

        def rank(name: str) -> tuple[float, bool, bool]:
            scheme = SCHEMES[name]
            return scheme.bits_per_weight, scheme.activations == "float", not scheme.palette

        more = [name for name in self.tried.judged.format.schemes if rank(name) > rank(effect.scheme)]
        for name in sorted(more, key=rank, reverse=True):
            changed = with_scheme(recipe, effect.part, effect.layer, name)
            if SCHEMES[name].activations == "float" and self.tried.possible(changed):
                yield changed

    def _fits(self, recipe: Recipe) -> bool:
        return self.goal.max_bytes is None or self.tried.size_bytes(recipe) <= self.goal.max_bytes

    def _check_size(self, recipe: Recipe) -> None:
        if not self._fits(recipe):
            raise _missed(
                "bytes of the quantized files",
                got=f"{self.tried.size_bytes(recipe):,}",
                expected=f"at most {self.goal.max_bytes:,}",
                best=recipe,
            )

    def _fast(self, recipe: Recipe) -> bool:
        return self.goal.max_ms is None or self.tried.ms(recipe) <= self.goal.max_ms

    def _check_time(self, recipe: Recipe) -> None:
        if self.goal.max_ms is not None and (took_ms := self.tried.ms(recipe)) > self.goal.max_ms:
            raise _missed(
                "milliseconds of one run",
                got=f"{took_ms:.3g}",
                expected=f"at most {self.goal.max_ms:g}",
                best=recipe,
            )


def _error(found: Quality) -> tuple[float, float]:
    """The larger the worse: by the feature, or, where a decoder makes the difference, by the face."""
    return found.angle_mean_deg, -(found.psnr_db or 0.0)


def _compared(best: str, judged: Mapping[str, Quality]) -> str:
    """What the best of some schemes comes to, and what the others would."""

    def figures(name: str) -> str:
        found = judged[name]
        face = "" if found.psnr_db is None else f", {found.psnr_db:.1f} dB"
        return f"{found.angle_mean_deg:.2f} degrees{face}"

    others = [f"{name} {figures(name)}" for name in judged if name != best]
    beside = f" (would be too: {'; '.join(others)})" if others else ""
    return f"the truest that is small enough, {figures(best)}{beside}"


def _missed(what: str, *, got: str, expected: str, best: Recipe) -> CheckError:
    layers = " ".join(f"{override.where}={override.scheme}" for override in best.overrides)
    how = f"--recipe {best.scheme}" + (f" --layer {layers}" if layers else "")
    return CheckError(
        f"the goal cannot be met: {what}",
        got=got,
        expected=expected,
        hint=f"that is the best found, {how}; ask for less",
    )
