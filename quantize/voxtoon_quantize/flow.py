"""What is made of what in a graph, by names, in whatever format the graph is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


class Node(Protocol):
    """An operator."""

    @property
    def op_type(self) -> str:
        """Its kind."""

    @property
    def input(self) -> Sequence[str]:
        """The names of the tensors that it takes."""

    @property
    def output(self) -> Sequence[str]:
        """The names of the tensors that it makes."""


@dataclass(frozen=True)
class NamedNode:
    """A `Node` for an operator of a format whose own do not name their tensors; constants are left out.

    Attributes
    ----------
    source
        The format's own.
    """

    op_type: str
    input: tuple[str, ...]
    output: tuple[str, ...]
    source: Any


AnyNode = TypeVar("AnyNode", bound=Node)


class Flow(Generic[AnyNode]):
    """A graph.

    Attributes
    ----------
    moving
        Kinds of operators that change no value: what they move is their first input.
    joining
        The kind that puts tensors behind each other.
    nodes
        Each after what it reads.
    inputs, outputs
        By their declared names.
    """

    moving: Collection[str]
    joining: str
    nodes: Sequence[AnyNode]
    inputs: Sequence[str]
    outputs: Sequence[str]

    def producer(self, name: str) -> AnyNode | None:
        """Return the node that makes a tensor; None for inputs and constants."""
        return next((node for node in self.nodes if name in node.output), None)

    def consumers(self, name: str) -> list[AnyNode]:
        """Return the nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]
