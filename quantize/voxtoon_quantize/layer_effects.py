"""What each layer costs the final face: quantized alone, all else in float, judged on voices kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .formats import CalibratedPart, size_bytes
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
