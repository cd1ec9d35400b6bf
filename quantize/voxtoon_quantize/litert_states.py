"""The state of a stream in a TFLite graph: where it is, and what its integers stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from voxtoon.manifest import StateGrid
from voxtoon_export.litert_model import kind, read

from .flow import Flow, NamedNode
from .graph_state import Continued, grid_of_each, states

MOVES: Final = ("RESHAPE", "MAX_POOL_2D", "DEPTH_TO_SPACE", "SLICE", "STRIDED_SLICE", "PAD", "TRANSPOSE")
"""Operators whose results are values of their input, or zeros: they stay on its grid."""


class LitertFlow(Flow[NamedNode]):
    """A ``ModelT`` of one graph and one signature, as it is now: see `flow.Flow`.

    Attributes
    ----------
    names
        Of every tensor, by its place: of inputs and outputs those of the signature.
    """

    moving = MOVES
    joining = "CONCATENATION"

    def __init__(self, model: Any) -> None:
        (self._graph,), (signature,) = model.subgraphs, model.signatureDefs
        constant = [model.buffers[tensor.buffer].data is not None for tensor in self._graph.tensors]
        sides = (signature.inputs, signature.outputs)
        ends = [{item.tensorIndex: item.name.decode() for item in side} for side in sides]
        declared = ends[0] | ends[1]
        self.names = [
            declared.get(index, tensor.name.decode()) for index, tensor in enumerate(self._graph.tensors)
        ]
        self.inputs, self.outputs = (tuple(side.values()) for side in ends)
        self.nodes = tuple(
            NamedNode(
                kind(model, operator),
                tuple(self.names[index] for index in operator.inputs if index >= 0 and not constant[index]),
                tuple(self.names[index] for index in operator.outputs),
                operator,
            )
            for operator in self._graph.operators
        )

    def own_name(self, name: str) -> str:
        """Return what a tensor is called in the file: an input or output otherwise than outside."""
        found: str = self._graph.tensors[self.names.index(name)].name.decode()
        return found

    def grid(self, name: str) -> StateGrid | None:
        """Return the grid of a tensor; None where that is not of eight-bit integers."""
        from ai_edge_litert.schema_py_generated import TensorType  # type: ignore[import-untyped]

        tensor = self._graph.tensors[self.names.index(name)]
        if tensor.type != TensorType.INT8:
            return None
        (scale,), (zero,) = tensor.quantization.scale, tensor.quantization.zeroPoint
        return StateGrid("int8", float(scale), int(zero))


def state_grids(content: bytes) -> dict[str, StateGrid]:
    """Return the grid of every state that is kept in integers; raises as `grid_of_each` does."""
    flow = LitertFlow(read(content))

    def grids_on(state: Continued) -> Iterator[StateGrid]:
        """LiteRT copies integers from tensor to tensor, whatever their grids are: there must be one."""
        grids = (flow.grid(name) for name in state.tensors)
        return (grid for grid in grids if grid is not None)

    return grid_of_each(flow, [name for name in states(flow) if flow.grid(name) is not None], grids_on)
