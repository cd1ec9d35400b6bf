"""The state of a stream in a Core ML program: where it is, and the grid that its values lie on.

Core ML takes and gives arrays of eight-bit integers from iOS 26 on; ours run on iOS 17. The state is floats
there, but each of them lies on the grid of the layer that reads it: what is new is rounded once, when it is
made, and what lies on a grid is rounded to itself, in float16 too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from voxtoon.errors import CheckError
from voxtoon.manifest import StateGrid

from .coreml_program import Files, operations
from .flow import Flow, NamedNode
from .graph_state import Continued, continued_in, grid_of_each, sources

MOVES: Final = (
    "max_pool",
    "reshape",
    "pixel_shuffle",
    "crop",
    "transpose",
    "squeeze",
    "expand_dims",
    "slice_by_index",
)
"""Operations whose results are values of their input: they stay on its grid."""
_ROUNDING: Final = ("quantize", "dequantize")


class CoreMLFlow(Flow[NamedNode]):
    """The operations of a program, constants included: see `flow.Flow`.

    Where a program computes in float16, what an input is cast to stands for it, and what is cast to an
    output for that.
    """

    moving = (*MOVES, *_ROUNDING)
    joining = "concat"

    def __init__(self, operations: Sequence[Any]) -> None:
        block = operations[0].enclosing_block
        self.inputs = tuple(block.inputs)
        self.outputs = tuple(item.name for item in block.outputs)
        self._declared: dict[str, str] = {}
        for item in operations:
            if item.op_type == "cast":
                before, after = item.x.name, item.outputs[0].name
                self._declared |= {after: before} if before in self.inputs else {}
                self._declared |= {before: after} if after in self.outputs else {}
        self.nodes = tuple(self._node(item) for item in operations if item.op_type not in ("const", "cast"))

    def _node(self, operation: Any) -> NamedNode:
        return NamedNode(
            operation.op_type,
            tuple(self.name(value) for value in taken(operation)),
            tuple(self.name(value) for value in operation.outputs),
            operation,
        )

    def name(self, value: Any) -> str:
        """Return what a value is called: as an input or output where it stands for one."""
        found: str = value.name
        return self._declared.get(found, found)

    def own_name(self, name: str) -> str:
        """Return what a value is called in the program."""
        return next((own for own, declared in self._declared.items() if declared == name), name)


def taken(operation: Any) -> list[Any]:
    """Return the values that an operation computes with, constants left out, what it moves first."""
    given = operation.inputs
    first = [given[name] for name in ("x", "input", "values") if given.get(name) is not None]
    listed = [value for item in (*first, *given.values()) for value in _each(item)]
    return list({value.name: value for value in listed if value is not None and value.val is None}.values())


def _each(item: Any) -> Sequence[Any]:
    return item if isinstance(item, (list, tuple)) else (item,)


def state_grids(files: Files) -> dict[str, StateGrid]:
    """Return the grid that each state lies on whose layer reads integers, as signed ones.

    Raises
    ------
    CheckError
        As `grid_of_each`; or what is kept of a state was not rounded to its grid.
    """
    flow = CoreMLFlow(operations(files))

    def grids_on(state: Continued) -> Iterator[StateGrid]:
        makers = [flow.producer(mover.output[0]) for mover in state.movers]
        return (_grid(node.source) for node in makers if node and node.op_type in _ROUNDING)

    joined = [node.output[0] for node in flow.nodes if node.op_type == flow.joining]
    found = [state for state in continued_in(flow, joined) if any(True for _ in grids_on(state))]
    for state in found:
        makers = [flow.producer(name) for name in sources(flow, state.successor)]
        if not any(node and node.op_type in _ROUNDING for node in makers):
            raise CheckError(
                f"{state.name} is not on one grid", got=f"a {state.successor} that is not rounded"
            )
    return grid_of_each(flow, [state.name for state in found], grids_on)


def _grid(operation: Any) -> StateGrid:
    from coremltools.converters.mil.mil import types  # type: ignore[import-untyped]

    # coremltools writes -128 of signed integers as 0 of unsigned ones, and leaves out a zero point of 0.
    zero = 0 if operation.zero_point is None else int(operation.zero_point.val)
    stored = operation.outputs[0] if operation.op_type == "quantize" else operation.input
    unsigned = types.builtin_to_string(stored.dtype) == "uint8"
    return StateGrid("int8", float(np.asarray(operation.scale.val).item()), zero - 128 if unsigned else zero)
