"""The state of a stream in a graph: an input whose successor is the output of the same name behind ``next_``.

A layer reads its state and what follows it as one tensor, ``Concat(state, new)``, and the last frames of that
are kept for the next call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .graph import Graph

if TYPE_CHECKING:
    import onnx

NEXT: Final = "next_"
MOVING: Final = ("MaxPool", "Reshape", "Flatten", "DepthToSpace", "Slice", "Transpose")
"""Operators that change no value."""


@dataclass(frozen=True)
class Continued:
    """A state, and what moves values between it, what is new, the layer that reads both and its successor.

    Attributes
    ----------
    name, successor
        The input and the output.
    output
        State and new frames as one tensor.
    made
        What the new frames are made as, before they are moved.
    read
        What is moved no further: layers read it.
    movers
        Every node between.
    tensors
        Every tensor that holds the values: all of the above and those between.
    """

    name: str
    successor: str
    output: str
    made: tuple[str, ...]
    read: tuple[str, ...]
    movers: tuple[onnx.NodeProto, ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """Every tensor on the way."""
        return (self.name, *self.made, *(name for mover in self.movers for name in mover.output))


def states(graph: Graph) -> tuple[str, ...]:
    """Return the inputs that have a successor, in order."""
    return tuple(name for name in graph.inputs if f"{NEXT}{name}" in graph.outputs)


def sources(graph: Graph, name: str) -> list[str]:
    """Return a tensor, and those that it is moved from, back to the one that is made or given."""
    chain = [name]
    while (maker := graph.producer(chain[-1])) is not None and maker.op_type in MOVING:
        chain.append(maker.input[0])
    return chain


def continued(graph: Graph, name: str) -> Continued | None:
    """Return the state that is in a tensor; None where there is none, or none is kept of it."""
    joined = graph.producer(sources(graph, name)[-1])
    if joined is None or not is_continued_state(graph, joined):
        return None
    movers = [joined]
    made: list[str] = []
    begun: list[str] = []
    for part in joined.input:
        chain = sources(graph, part)
        movers += [_maker(graph, moved) for moved in chain[:-1]]
        (begun if chain[-1] in states(graph) else made).append(chain[-1])
    read = []
    waiting = [joined.output[0]]
    while waiting:
        moved = waiting.pop()
        readers = graph.consumers(moved)
        on = [reader for reader in readers if reader.op_type in MOVING]
        movers += on
        waiting += [reader.output[0] for reader in on]
        if len(on) < len(readers):
            read.append(moved)
    return Continued(begun[0], f"{NEXT}{begun[0]}", joined.output[0], tuple(made), tuple(read), tuple(movers))


def is_continued_state(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a node puts what is new behind a state, and the last of both is that state's successor."""
    if node.op_type != "Concat":
        return False
    begun = {sources(graph, name)[-1] for name in node.input}
    kept = {_end(graph, reader) for reader in graph.consumers(node.output[0])}
    return any(f"{NEXT}{name}" in kept for name in begun)


def is_kept(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a node does nothing but bring a tensor, or a part of it, to the successor of a state."""
    return _end(graph, node) in {f"{NEXT}{name}" for name in states(graph)}


def _end(graph: Graph, node: onnx.NodeProto) -> str | None:
    """The output that a node's output becomes by being moved alone; None where it becomes more."""
    while node.op_type in MOVING:
        name: str = node.output[0]
        if name in graph.outputs:
            return name
        readers = graph.consumers(name)
        if len(readers) != 1:
            return None
        node = readers[0]
    return None


def _maker(graph: Graph, name: str) -> onnx.NodeProto:
    maker = graph.producer(name)
    assert maker is not None  # what a mover has moved
    return maker
