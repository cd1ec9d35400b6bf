"""The integers that an ONNX artefact keeps from call to call: what they stand for, by each of its states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from voxtoon.manifest import StateGrid

from .graph import Graph
from .graph_state import Continued, grid_of_each, states

if TYPE_CHECKING:
    import onnx


def state_grids(model: onnx.ModelProto) -> dict[str, StateGrid]:
    """Return the grid of every state that is kept in integers; raises as `grid_of_each` does."""
    graph = Graph(model)

    def grids_on(state: Continued) -> Iterator[StateGrid]:
        """What puts integers on the way of a state, and what takes them for floats at its end."""
        makers = [graph.producer(name) for name in state.made]
        readers = [reader for name in state.read for reader in graph.consumers(name)]
        for node in (*makers, *readers):
            if node is not None and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                scale, zero = (graph.tensors[name] for name in node.input[1:3])
                yield StateGrid("uint8" if zero.dtype == np.uint8 else "int8", scale.item(), zero.item())

    return grid_of_each(graph, [name for name in states(graph) if graph.dtype(name).kind != "f"], grids_on)
