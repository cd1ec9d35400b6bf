"""The integers that an ONNX artefact keeps from call to call: what they stand for, by each of its states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from voxtoon.errors import CheckError
from voxtoon.manifest import StateGrid

from .graph import Graph
from .graph_state import Continued, continued, is_continued_state

if TYPE_CHECKING:
    import onnx


def state_grids(model: onnx.ModelProto) -> dict[str, StateGrid]:
    """Return the grid of every state that is kept in integers, by the name of its input.

    Raises
    ------
    CheckError
        A state is on another grid than what is put behind it, or than the layer that reads both takes it for.
    """
    graph = Graph(model)
    found = {}
    for node in graph.nodes:
        state = continued(graph, node.output[0]) if is_continued_state(graph, node) else None
        if state is None or graph.dtype(state.name).kind == "f":
            continue
        grids = list(dict.fromkeys(_grids(graph, state)))
        if len(grids) > 1:
            raise CheckError(
                f"{state.name} is not on one grid",
                got=", ".join(f"{grid.dtype} {grid.scale:g} ({grid.zero_point})" for grid in grids),
                expected="that of the layer that reads it",
            )
        if grids:
            found[state.name] = grids[0]
    return found


def _grids(graph: Graph, state: Continued) -> Iterator[StateGrid]:
    """What puts integers on the way of a state, and what takes them for floats at its end."""
    makers = [graph.producer(name) for name in state.made]
    readers = [reader for name in state.read for reader in graph.consumers(name)]
    for node in (*makers, *readers):
        if node is not None and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            scale, zero = (graph.tensors[name] for name in node.input[1:3])
            yield StateGrid("uint8" if zero.dtype == np.uint8 else "int8", scale.item(), zero.item())
