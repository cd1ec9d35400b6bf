"""What values the tensors of an ONNX graph take, on real inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError

from .histogram import Histogram

if TYPE_CHECKING:
    import onnx


Inputs = Mapping[str, NDArray[Any]]


def collect(model: onnx.ModelProto, tensors: Sequence[str], inputs: Iterable[Inputs]) -> dict[str, Histogram]:
    """Run a float model on inputs, one at a time, and keep a histogram of each tensor.

    Parameters
    ----------
    tensors
        Names of inputs of the model and of what its nodes make.
    inputs
        At least one run's.

    Raises
    ------
    CheckError
        There were no inputs, or a tensor took a value that is not finite.
    """
    histograms = {name: Histogram() for name in tensors}
    opened = with_outputs(model, [name for name in tensors if not _is_input(model, name)])
    session = load(opened.SerializeToString(), precision="fp32", threads=None)
    runs = 0
    for run in inputs:
        runs += 1
        found = {**session.run(run), **run}
        for name, histogram in histograms.items():
            histogram.add(np.asarray(found[name]), name=name)
    if not runs:
        raise CheckError("nothing to calibrate on", expected="at least one clip")
    return histograms


def _is_input(model: onnx.ModelProto, name: str) -> bool:
    return any(item.name == name for item in model.graph.input)


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a model that gives these tensors besides its outputs."""
    from onnx import helper

    opened = type(model)()
    opened.CopyFrom(model)
    there = {item.name for item in opened.graph.output}
    opened.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in there
    )
    return opened
