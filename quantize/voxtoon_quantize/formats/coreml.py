"""Core ML, by coremltools: weights in fewer bits, and activations on ranges of our own calibration.

coremltools calibrates by running the model, which needs a Mac; here the evaluator runs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from voxtoon.engines import coreml
from voxtoon.errors import CheckError
from voxtoon_export.lowering import Content

from ..coreml_activations import insert, observed
from ..coreml_audit import audit
from ..coreml_program import (
    IOS_17,
    IOS_18,
    WEIGHTED,
    Files,
    changed,
    graph_pass,
    in_float16,
    layer_of,
    operations,
    version_of,
)
from ..coreml_rewrites import transposed_as_convolution
from ..coreml_states import state_grids
from ..coreml_weights import weight_passes
from ..histogram import Histogram
from ..observers import OBSERVERS
from ..recipe import SCHEMES, Recipe
from . import Inputs, QuantizedFormat

if TYPE_CHECKING:
    from voxtoon.manifest import StateGrid

    from ..audit import Audit


NEURAL_ENGINE: Final = "ane"


@dataclass(frozen=True)
class Program:
    """A package, and the operations of its program."""

    files: Files

    @cached_property
    def operations(self) -> list[Any]:
        """In order, constants included."""
        return operations(self.files)


@dataclass(frozen=True)
class CoreMLPart:
    """A part as it was exported: see `FloatPart`."""

    name: str
    content: Files

    @cached_property
    def rewritten(self) -> Program:
        """The same with ordinary convolutions in the place of transposed ones."""
        return Program(changed(self.content, [graph_pass(transposed_as_convolution)]))

    @cached_property
    def halved(self) -> Program:
        """The rewritten one, computing in float16."""
        return Program(changed(self.rewritten.files, [in_float16()]))

    def program(self, recipe: Recipe) -> Program:
        """The one that a recipe starts from."""
        return self.halved if recipe.target == NEURAL_ENGINE else self.rewritten

    @cached_property
    def _weighted(self) -> dict[str, Any]:
        operations = self.rewritten.operations
        found = {layer_of(item.weight): item for item in operations if item.op_type in WEIGHTED}
        if "" in found:
            raise CheckError(
                f"{self.name} coreml fp32 does not tell its layers",
                got=found[""].weight.name,
                expected="<layer>_weight",
                hint="export the bundle again",
            )
        return found

    @property
    def calibrated(self) -> Files:
        """As `FloatPart.calibrated`."""
        return self.content

    @property
    def layers(self) -> tuple[str, ...]:
        """As `FloatPart.layers`."""
        return tuple(self._weighted)

    @property
    def fully_connected(self) -> Mapping[str, int]:
        """As `FloatPart.fully_connected`."""
        return {
            layer: int(np.prod(item.weight.shape))
            for layer, item in self._weighted.items()
            if item.op_type == "linear"
        }

    def calibrate(
        self, recipe: Recipe, inputs: Iterable[Inputs], *, for_factors: bool = False
    ) -> CalibratedCoreMLPart:
        """As `FloatPart.calibrate`; this format has no factors."""
        program = self.program(recipe)
        values = observed(program.operations, _static(recipe.schemes(self.name, self.layers)))
        return CalibratedCoreMLPart(self, _collect(program.files, values, inputs) if values else {})


@dataclass(frozen=True)
class CalibratedCoreMLPart:
    """A part with the values that its program took: see `CalibratedPart`."""

    part: CoreMLPart
    seen: Mapping[str, Histogram]

    def quantize(self, schemes: Mapping[str, str], recipe: Recipe) -> Files:
        """As `CalibratedPart.quantize`."""
        program = self.part.program(recipe)
        values = observed(program.operations, _static(schemes))
        observer = OBSERVERS[recipe.observer]
        ranges = {name: observer.range(self.seen[source]) for name, source in values.items()}
        passes = [graph_pass(partial(insert, ranges=ranges))] if ranges else []
        passes += weight_passes(program.operations, schemes)
        blocks = any(SCHEMES[scheme].block is not None for scheme in schemes.values())
        return changed(program.files, passes, version=IOS_18 if blocks else IOS_17)


def _static(schemes: Mapping[str, str]) -> list[str]:
    return [layer for layer, name in schemes.items() if SCHEMES[name].activations == "static"]


def _collect(files: Files, values: Mapping[str, str], inputs: Iterable[Inputs]) -> dict[str, Histogram]:
    histograms = {name: Histogram() for name in {*values, *values.values()}}
    session = coreml.load(files, precision="fp32", threads=None)
    assert isinstance(session, coreml.CoreMLSession)
    runs = 0
    for run in inputs:
        runs += 1
        for name, value in run.items():
            if name in histograms:
                histograms[name].add(value, name=name)
        for _, name, value in session.model.intermediates(run):
            if name in histograms:
                histograms[name].add(value, name=name)
    if not runs:
        raise CheckError("nothing to calibrate on", expected="at least one clip")
    return histograms


def _part(name: str, content: Content) -> CoreMLPart:
    assert not isinstance(content, bytes)  # a package is a folder
    return CoreMLPart(name, content)


def _audit(content: Content, inputs: Inputs, recipe: Recipe) -> Audit:
    assert not isinstance(content, bytes)
    return audit(content, inputs)


def _minimum_runtime(content: Content) -> Mapping[str, str]:
    assert not isinstance(content, bytes)
    ios, macos = {IOS_17: ("17", "14"), IOS_18: ("18", "15")}[version_of(content)]
    return {"iOS": ios, "macOS": macos, "coremltools": "9.0"}


def _states(content: Content) -> dict[str, StateGrid]:
    assert not isinstance(content, bytes)
    state_grids(content)  # raises where one is not kept as it is read
    return {}  # what comes in and goes out are floats on these grids


FORMAT: Final = QuantizedFormat(
    "coreml",
    schemes=tuple(
        name for name, scheme in SCHEMES.items() if scheme.activations != "dynamic" and scheme.factors is None
    ),
    part=_part,
    audit=_audit,
    states=_states,
    timed=False,
    minimum_runtime=_minimum_runtime,
)
