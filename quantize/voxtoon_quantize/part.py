"""One part on its way to integers: its graph rewritten, its layers, what its tensors were seen to be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .graph import Graph, layer_name, layer_names
from .histogram import Histogram
from .observers import OBSERVERS, Range
from .onnx_static import observed, quantized
from .onnx_weights import with_light_weights
from .ranges import collect
from .recipe import SCHEMES, TARGETS, Recipe
from .rewrites import rewrite

if TYPE_CHECKING:
    import onnx

    from voxtoon.engines import Session

Inputs = Mapping[str, NDArray[Any]]

_ROUNDS: Final = 15
_ROUND_S: Final = 1.0  # of one session; what is slow is not run as often


@dataclass(frozen=True)
class FloatPart:
    """A part of a bundle as it was exported.

    Attributes
    ----------
    name, content
        Of the part, and its float32 artefact.
    rewrites
        Those to apply before anything else; None for all.
    """

    name: str
    content: bytes
    rewrites: tuple[str, ...] | None = None

    @cached_property
    def rewritten(self) -> onnx.ModelProto:
        """The same graph after its exact rewrites."""
        import onnx

        return rewrite(onnx.load_from_string(self.content), self.rewrites)[0]

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers that multiply with weights, in order."""
        return tuple(layer_names(Graph(self.rewritten)))

    @cached_property
    def fully_connected(self) -> dict[str, int]:
        """How many weights each fully connected layer has."""
        graph = Graph(self.rewritten)
        nodes = [node for node in graph.nodes if node.op_type == "Gemm"]
        return {
            layer: graph.tensors[node.input[1]].size
            for node in nodes
            if (layer := layer_name(graph, node)) is not None
        }

    def calibrate(self, recipe: Recipe, inputs: Iterable[Inputs]) -> CalibratedPart:
        """See what values the tensors take that the recipe quantizes; nothing is run where there are none."""
        static = _static(recipe.schemes(self.name, self.layers))
        tensors = observed(self.rewritten, static)
        return CalibratedPart(self, collect(self.rewritten, tensors, inputs) if tensors else {})


@dataclass(frozen=True)
class CalibratedPart:
    """A part whose tensors were seen: it can be quantized by any recipe of no more static layers."""

    part: FloatPart
    seen: Mapping[str, Histogram]

    def quantize(self, recipe: Recipe) -> bytes:
        """Return the artefact that a recipe makes of it."""
        return self.quantize_layers(recipe.schemes(self.part.name, self.part.layers), recipe)

    def quantize_layers(self, schemes: Mapping[str, str], recipe: Recipe) -> bytes:
        """Return the artefact with these schemes of its layers; the recipe gives the rest."""
        static = _static(schemes)
        model = with_light_weights(self.part.rewritten, schemes)
        if static:
            wanted = observed(self.part.rewritten, static)
            observer = OBSERVERS[recipe.observer]
            ranges: dict[str, Range] = {name: observer.range(self.seen[name]) for name in wanted}
            model = quantized(model, ranges, layers=static, activation=TARGETS[recipe.target])
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _static(schemes: Mapping[str, str]) -> list[str]:
    return [layer for layer, name in schemes.items() if SCHEMES[name].activations == "static"]


def speed_ratio(reference: Session, candidate: Session, inputs: Inputs) -> float:
    """Return how many times faster a candidate is: they take turns, and the fastest run of each counts."""
    least = {id(reference): np.inf, id(candidate): np.inf}
    spent_s = 0.0
    for _ in range(_ROUNDS):
        for session in (reference, candidate):
            start = time.perf_counter()
            session.run(inputs)
            took_s = time.perf_counter() - start
            least[id(session)] = min(least[id(session)], took_s)
            spent_s += took_s
        if spent_s > 2 * _ROUND_S * _ROUNDS:
            break
    return float(least[id(reference)] / least[id(candidate)])
