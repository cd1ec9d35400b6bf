"""ONNX for onnxruntime: exact rewrites, then nodes that quantize around the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError
from voxtoon_export.lowering import Content

from ..graph import Graph, layer_name, layer_names
from ..graph_state import states
from ..histogram import Histogram
from ..observers import OBSERVERS, Range
from ..onnx_audit import audit
from ..onnx_factors import INNER, Directions, directions_of, heard_by, with_factors
from ..onnx_states import state_grids
from ..onnx_static import observable, observed, quantized, squashed
from ..onnx_weights import with_light_weights
from ..ranges import collect
from ..recipe import SCHEMES, TARGETS, WITHOUT_PALETTES, Recipe
from ..rewrites import rewrite
from . import Inputs, QuantizedFormat

if TYPE_CHECKING:
    import onnx

    from voxtoon.manifest import StateGrid

    from ..audit import Audit


@dataclass(frozen=True)
class OnnxPart:
    """A part as it was exported: see `FloatPart`.

    Attributes
    ----------
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

    @property
    def calibrated(self) -> bytes:
        """As `FloatPart.calibrated`."""
        content: bytes = self.rewritten.SerializeToString(deterministic=True)
        return content

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

    def calibrate(
        self, recipe: Recipe, inputs: Iterable[Inputs], *, for_factors: bool = False
    ) -> CalibratedOnnxPart:
        """As `FloatPart.calibrate`."""
        schemes = recipe.schemes(self.name, self.layers)
        factored = _factored(schemes)
        heard: dict[str, NDArray[np.float32]] = {}
        if wanted := list(self.fully_connected if for_factors else factored):
            inputs = list(inputs)
            heard = heard_by(self.rewritten, wanted, inputs)
        calibrated = CalibratedOnnxPart(self, {}, heard)
        model = calibrated.floats(factored)
        tensors = observable(model, _static(_as_factors(schemes)))
        return replace(calibrated, seen=collect(model, tensors, inputs)) if tensors else calibrated


@dataclass(frozen=True)
class CalibratedOnnxPart:
    """A part with the values that its tensors took: see `CalibratedPart`.

    Attributes
    ----------
    heard
        What those layers were given that can be made factors of.
    """

    part: OnnxPart
    seen: Mapping[str, Histogram]
    heard: Mapping[str, NDArray[np.float32]]
    _directions: dict[str, Directions] = field(default_factory=dict, compare=False, repr=False)

    def quantize(self, schemes: Mapping[str, str], recipe: Recipe) -> bytes:
        """As `CalibratedPart.quantize`."""
        floats = self.floats(_factored(schemes))
        schemes = _as_factors(schemes)
        static = _static(schemes)
        model = with_light_weights(floats, schemes)
        if static:
            wanted = observed(floats, static)
            observer = OBSERVERS[recipe.observer]
            eased = squashed(floats)
            ranges: dict[str, Range] = {
                name: observer.range(self.seen[name], squashed=name in eased) for name in wanted
            }
            # State from outside stays as it is, and signed state would have onnxruntime compute in float on
            # x86, where it makes unsigned values of signed ones otherwise.
            activation = "u8" if states(Graph(floats)) else TARGETS[recipe.target]
            model = quantized(model, ranges, layers=static, activation=activation)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def floats(self, factored: Mapping[str, int]) -> onnx.ModelProto:
        """Return the rewritten part with factors, of these shares of the weights, in the place of layers."""
        if missing := [layer for layer in factored if layer not in self.heard]:
            raise CheckError(
                f"factors of {self.part.name}.{missing[0]}", expected="a layer that was calibrated for it"
            )
        for layer in factored.keys() - self._directions:  # kept: of a wide layer they take seconds
            self._directions[layer] = directions_of(self.part.rewritten, layer, self.heard[layer])
        return with_factors(self.part.rewritten, factored, self._directions)


def _factored(schemes: Mapping[str, str]) -> dict[str, int]:
    """Layers that are made factors of, and the share of their weights that these have."""
    shares = {layer: SCHEMES[name].factors for layer, name in schemes.items()}
    return {layer: share for layer, share in shares.items() if share is not None}


def _as_factors(schemes: Mapping[str, str]) -> dict[str, str]:
    """The schemes of the layers that there are when the factors are made."""
    found: dict[str, str] = {}
    for layer, name in schemes.items():
        two = SCHEMES[name].factors is not None
        found |= dict.fromkeys([f"{layer}.{side}" for side in INNER] if two else [layer], name)
    return found


def _static(schemes: Mapping[str, str]) -> list[str]:
    return [layer for layer, name in schemes.items() if SCHEMES[name].activations == "static"]


def _part(name: str, content: Content) -> OnnxPart:
    assert isinstance(content, bytes)  # what an artefact of ONNX is
    return OnnxPart(name, content)


def _audit(content: Content, inputs: Inputs, recipe: Recipe) -> Audit:
    assert isinstance(content, bytes)
    return audit(content, inputs, signed=TARGETS[recipe.target] == "s8")


def _states(content: Content) -> dict[str, StateGrid]:
    import onnx

    assert isinstance(content, bytes)
    return state_grids(onnx.load_from_string(content))


FORMAT: Final = QuantizedFormat("onnx", schemes=WITHOUT_PALETTES, part=_part, audit=_audit, states=_states)
