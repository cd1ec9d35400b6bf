"""Which layers cost how much: each quantized alone, and what that does to the part's outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .recipe import Recipe

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon_export.lowering import Content

    from .formats import CalibratedPart, Inputs, QuantizedFormat


@dataclass(frozen=True)
class LayerError:
    """What quantizing one layer alone does.

    Attributes
    ----------
    relative_error
        Root mean square of the change of the outputs, over that of their variation from voice to voice; the
        worst output counts.
    """

    part: str
    layer: str
    relative_error: float


def layer_errors(
    quantized: QuantizedFormat,
    part: CalibratedPart,
    recipe: Recipe,
    inputs: Sequence[Inputs],
    *,
    adapt: Callable[[Session], Session] = lambda session: session,
) -> list[LayerError]:
    """Quantize one layer at a time, and measure on a few inputs.

    Parameters
    ----------
    recipe
        Gives the scheme of each layer.
    inputs
        At least two.
    adapt
        Makes a session that takes these inputs of one of the part.

    Returns
    -------
    list of LayerError
        The worst first; layers that the recipe leaves in float32 are not in it.
    """

    def outputs(content: Content) -> list[np.ndarray]:
        session = adapt(quantized.load(content, precision="any"))
        runs = [session.run(run) for run in inputs]
        return [np.stack([run[name] for run in runs]) for name in runs[0]]

    before = outputs(part.part.content)
    found = []
    for layer, scheme in recipe.schemes(part.part.name, part.part.layers).items():
        if scheme != "fp32":
            after = outputs(part.quantize({layer: scheme}, recipe))
            error = max(_relative_error(old, new) for old, new in zip(before, after, strict=True))
            found.append(LayerError(part.part.name, layer, error))
    return sorted(found, key=lambda item: -item.relative_error)


def _relative_error(before: np.ndarray, after: np.ndarray) -> float:
    varies = np.sqrt(np.mean((before - before.mean(axis=0)) ** 2))
    return float(np.sqrt(np.mean((after - before) ** 2)) / max(float(varies), 1e-12))
