"""LiteRT, by ai-edge-quantizer; lowering has folded batch norms and rewritten transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from voxtoon.errors import CheckError
from voxtoon_export.litert_model import kind, layer_of, read, shape_of, weighted
from voxtoon_export.lowering import Content

from ..histogram import Histogram
from ..litert_audit import audit
from ..litert_plan import FULLY_CONNECTED, planned
from ..litert_quantized import quantized
from ..litert_ranges import collect, observed
from ..litert_rows import with_even_rows
from ..litert_states import state_grids
from ..observers import OBSERVERS
from ..recipe import SCHEMES, WITHOUT_PALETTES, Recipe
from . import Inputs, QuantizedFormat

if TYPE_CHECKING:
    from voxtoon.manifest import StateGrid

    from ..audit import Audit


@dataclass(frozen=True)
class LitertPart:
    """A part as it was exported: see `FloatPart`."""

    name: str
    content: bytes

    @cached_property
    def model(self) -> Any:
        """The file as an object that nothing changes."""
        return read(self.content)

    @cached_property
    def _weights(self) -> dict[str, tuple[str, int]]:
        """The operator and the number of weights of each layer that multiplies, in order."""
        (graph,) = self.model.subgraphs
        found = {}
        for operator, weight in weighted(self.model, graph):
            if not layer_of(weight):
                raise CheckError(
                    f"{self.name} litert fp32 does not tell its layers",
                    got=weight.name.decode(),
                    expected="<layer>.weight",
                    hint="export the bundle again",
                )
            found[layer_of(weight)] = (kind(self.model, operator), math.prod(shape_of(weight)))
        return found

    @property
    def calibrated(self) -> bytes:
        """As `FloatPart.calibrated`."""
        return self.content

    @property
    def layers(self) -> tuple[str, ...]:
        """As `FloatPart.layers`."""
        return tuple(self._weights)

    @property
    def fully_connected(self) -> Mapping[str, int]:
        """As `FloatPart.fully_connected`."""
        return {layer: size for layer, (what, size) in self._weights.items() if what == FULLY_CONNECTED}

    def calibrate(
        self, recipe: Recipe, inputs: Iterable[Inputs], *, for_factors: bool = False
    ) -> CalibratedLitertPart:
        """As `FloatPart.calibrate`; this format has no factors."""
        plan = list(planned(self.model, recipe.schemes(self.name, self.layers)))
        tensors = sorted(observed(self.model, plan))  # all: with fewer static layers others begin a grid
        return CalibratedLitertPart(self, collect(self.content, tensors, inputs) if tensors else {})


@dataclass(frozen=True)
class CalibratedLitertPart:
    """A part with the values that its tensors took: see `CalibratedPart`."""

    part: LitertPart
    seen: Mapping[str, Histogram]

    def quantize(self, schemes: Mapping[str, str], recipe: Recipe) -> bytes:
        """As `CalibratedPart.quantize`."""
        content = with_even_rows(self.part.content, schemes)
        model = self.part.model if content is self.part.content else read(content)
        plan = list(planned(model, schemes))
        observer = OBSERVERS[recipe.observer]
        sources = observed(model, plan)
        of_source = {name: observer.range(self.seen[name]) for name in set(sources.values())}
        return quantized(content, plan, {name: of_source[source] for name, source in sources.items()})


def _part(name: str, content: Content) -> LitertPart:
    assert isinstance(content, bytes)  # what an artefact of LiteRT is
    return LitertPart(name, content)


def _audit(content: Content, inputs: Inputs, recipe: Recipe) -> Audit:
    assert isinstance(content, bytes)
    return audit(content, inputs)


def _states(content: Content) -> dict[str, StateGrid]:
    assert isinstance(content, bytes)
    return state_grids(content)


FORMAT: Final = QuantizedFormat(
    "litert",
    schemes=tuple(name for name in WITHOUT_PALETTES if SCHEMES[name].factors is None),
    part=_part,
    audit=_audit,
    states=_states,
    minimum_runtime=lambda content: {"ai-edge-litert": "1.4"},
)
