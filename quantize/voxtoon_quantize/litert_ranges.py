"""What values the tensors of a TFLite graph take, on real inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from voxtoon.engines import litert
from voxtoon.errors import CheckError
from voxtoon_export.litert_model import kind, read, written

from .formats import Inputs
from .graph_state import continued_in
from .histogram import Histogram
from .litert_plan import Planned
from .litert_states import MOVES, LitertFlow


def observed(model: Any, plan: Sequence[Planned]) -> dict[str, str]:
    """Say of each tensor that gets a grid which tensor's values give it.

    Its own, or those that it only moves; where a state is moved, those of state and new frames together.
    """
    (graph,) = model.subgraphs
    static = {item.name for item in plan if item.treatment == "static"}
    names = [tensor.name.decode() for tensor in graph.tensors]
    constant = [model.buffers[tensor.buffer].data is not None for tensor in graph.tensors]
    sources: dict[str, str] = {}
    for operator in graph.operators:
        made = names[operator.outputs[0]]
        if made not in static:
            continue
        for index in operator.inputs:
            if index >= 0 and not constant[index]:
                sources.setdefault(names[index], names[index])
        moves = kind(model, operator) in MOVES
        sources[made] = sources[names[operator.inputs[0]]] if moves else made
    flow = LitertFlow(model)
    layers = {item.name for item in plan if item.treatment == "static" and item.scheme is not None}
    taken = [flow.names[item.inputs[0]] for item in graph.operators if names[item.outputs[0]] in layers]
    for state in continued_in(flow, taken):
        root = flow.own_name(state.output)
        sources |= {flow.own_name(name): root for name in state.tensors}
    return sources


def collect(content: bytes, tensors: Iterable[str], inputs: Iterable[Inputs]) -> dict[str, Histogram]:
    """Run a float model on inputs, one at a time, and keep a histogram of each tensor.

    Parameters
    ----------
    tensors
        Names of tensors of the graph.
    inputs
        At least one run's.

    Raises
    ------
    CheckError
        There were no inputs, or a tensor took a value that is not finite.
    """
    histograms = {name: Histogram() for name in tensors}
    opened, places = _with_outputs(content, histograms)
    session = litert.load(opened, precision="fp32", threads=None)
    assert isinstance(session, litert.LitertSession)
    runs = 0
    for run in inputs:
        runs += 1
        session.run(run)
        for name, place in places.items():
            histograms[name].add(np.asarray(session.interpreter.get_tensor(place)), name=name)
    if not runs:
        raise CheckError("nothing to calibrate on", expected="at least one clip")
    return histograms


def _with_outputs(content: bytes, names: Mapping[str, Any]) -> tuple[bytes, dict[str, int]]:
    """The model with these tensors among its outputs, so that no delegate keeps them to itself."""
    model = read(content)
    (graph,) = model.subgraphs
    places = {
        tensor.name.decode(): index
        for index, tensor in enumerate(graph.tensors)
        if tensor.name.decode() in names
    }
    there = {*graph.inputs, *graph.outputs}
    graph.outputs = [*graph.outputs, *(index for index in places.values() if index not in there)]
    return written(model), places
