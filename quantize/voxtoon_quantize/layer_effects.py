"""What each layer costs the final face: quantized alone, all else in float, judged on voices kept apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxtoon.atomic_file import write_atomically

from .formats import CalibratedPart, content_digest, made_by, size_bytes
from .judging import Judged
from .quality import Quality
from .recipe import Recipe


@dataclass(frozen=True)
class LayerEffect:
    """One layer quantized alone.

    Attributes
    ----------
    saved_bytes
        What the file of its part loses by it.
    quality
        Of the face against the one of the float parts.
    """

    part: str
    layer: str
    scheme: str
    saved_bytes: int
    quality: Quality

    def to_json(self) -> dict[str, Any]:
        """Return all by name."""
        return {**asdict(self), "quality": self.quality.to_json()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LayerEffect:
        """Read what `to_json` gave."""
        return cls(**{**found, "quality": Quality(**found["quality"])})


@dataclass(frozen=True)
class EffectCache:
    """Layers that were judged before, in a folder: one file for each set of artefacts, recipe and recordings.

    Attributes
    ----------
    folder
        Made when something is kept; None keeps nothing.
    recordings
        Digests of those that were calibrated on and judged on.
    """

    folder: Path | None = None
    recordings: tuple[str, ...] = ()

    def effects(
        self, parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged
    ) -> Iterator[LayerEffect]:
        """As `layer_effects`, at once where all of it is known already; the file is written at the end."""
        place = None if self.folder is None else self.folder / f"{self._key(parts, recipe, judged)}.json"
        known = None if place is None else _read(place)
        if known is not None:
            yield from known
            return
        found = []
        for effect in layer_effects(parts, recipe, judged):
            found.append(effect)
            yield effect
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            content = json.dumps([effect.to_json() for effect in found])
            write_atomically({place: content.encode()})

    def _key(self, parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged) -> str:
        # Of all layers quantized at once, so that any other way of making them makes another key.
        made = {name: content_digest(content) for name, content in made_by(recipe, parts).items()}
        floats = {part.part.name: content_digest(part.part.content) for part in parts}
        facts = [judged.format.name, floats, made, recipe.to_json(), self.recordings]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _read(place: Path) -> list[LayerEffect] | None:
    """What a file holds; None where there is none, or something else is in it."""
    try:
        return [LayerEffect.from_json(effect) for effect in json.loads(place.read_bytes())]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def layer_effects(parts: Sequence[CalibratedPart], recipe: Recipe, judged: Judged) -> Iterator[LayerEffect]:
    """Quantize one layer at a time, part by part, in order; those that the recipe leaves in float32 are not.

    Yields
    ------
    LayerEffect
        As soon as it is known: each takes as long as all voices take.
    """
    for part in parts:
        name = part.part.name
        whole = size_bytes(part.quantize({}, recipe))
        for layer, scheme in recipe.schemes(name, part.part.layers).items():
            if scheme == "fp32":
                continue
            content = part.quantize({layer: scheme}, recipe)
            quality = judged.quality({name: content})
            yield LayerEffect(name, layer, scheme, whole - size_bytes(content), quality)


def worst_first(effects: Sequence[LayerEffect]) -> list[LayerEffect]:
    """Sort by what changes the face most; where nothing is drawn, by the angle of the feature."""

    def change(effect: LayerEffect) -> float:
        drawn = effect.quality.psnr_db
        return effect.quality.angle_mean_deg if drawn is None else -drawn

    return sorted(effects, key=change, reverse=True)
