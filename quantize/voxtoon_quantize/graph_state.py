"""The state of a stream in a graph: an input whose successor is the output of the same name behind ``next_``.

A layer reads its state and what follows it as one tensor, and the last frames of that are kept for the next
call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from voxtoon.errors import CheckError
from voxtoon.manifest import StateGrid

from .flow import Flow, Node

NEXT: Final = "next_"


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
        What is moved, and read by layers.
    movers
        Every node between.
    """

    name: str
    successor: str
    output: str
    made: tuple[str, ...]
    read: tuple[str, ...]
    movers: tuple[Node, ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """Every tensor on the way: all of the above and those between."""
        return (self.name, *self.made, *(name for mover in self.movers for name in mover.output))


def states(flow: Flow[Any]) -> tuple[str, ...]:
    """Return the inputs that have a successor, in order."""
    return tuple(name for name in flow.inputs if f"{NEXT}{name}" in flow.outputs)


def sources(flow: Flow[Any], name: str) -> list[str]:
    """Return a tensor, and those that it is moved from, back to the one that is made or given."""
    chain = [name]
    while (maker := flow.producer(chain[-1])) is not None and maker.op_type in flow.moving:
        chain.append(maker.input[0])
    return chain


def continued(flow: Flow[Any], name: str) -> Continued | None:
    """Return the state that is in a tensor; None where there is none, or none is kept of it."""
    joined = flow.producer(sources(flow, name)[-1])
    return None if joined is None else _continued(flow, joined)


def continued_in(flow: Flow[Any], names: Iterable[str]) -> list[Continued]:
    """Return the states that are in some tensors."""
    found = (continued(flow, name) for name in names)
    return [state for state in found if state is not None]


def is_continued_state(flow: Flow[Any], node: Node) -> bool:
    """Whether a node puts what is new behind a state, and the last of both is that state's successor."""
    return _continued(flow, node) is not None


def _continued(flow: Flow[Any], joined: Node) -> Continued | None:
    if joined.op_type != flow.joining:
        return None
    ends = [sources(flow, name)[-1] for name in joined.input]
    begun = [name for name in ends if name in states(flow)]
    made = tuple(name for name in ends if name not in begun)
    # What is kept must be of what is new: of both joined, or cut from the new frames alone.
    if len(begun) != 1 or sources(flow, NEXT + begun[0])[-1] not in (joined.output[0], *made):
        return None
    movers: list[Node] = []
    read = []
    waiting = list(dict.fromkeys(ends))
    while waiting:
        moved = waiting.pop()
        readers = flow.consumers(moved)
        on = [reader for reader in readers if reader is joined or reader.op_type in flow.moving]
        fresh = [reader for reader in on if not any(reader is mover for mover in movers)]
        movers += fresh
        waiting += [reader.output[0] for reader in fresh]
        if len(on) < len(readers) and moved not in made:
            read.append(moved)
    return Continued(begun[0], NEXT + begun[0], joined.output[0], made, tuple(read), tuple(movers))


def is_kept(flow: Flow[Any], node: Node) -> bool:
    """Whether a node does nothing but bring a tensor, or a part of it, to the successor of a state."""
    return _end(flow, node) in {f"{NEXT}{name}" for name in states(flow)}


def _end(flow: Flow[Any], node: Node) -> str | None:
    """The output that a node's output becomes by being moved alone; None where it becomes more."""
    while node.op_type in flow.moving:
        name = node.output[0]
        if name in flow.outputs:
            return name
        readers = flow.consumers(name)
        if len(readers) != 1:
            return None
        node = readers[0]
    return None


def grid_of_each(
    flow: Flow[Any], kept: Collection[str], grids_on: Callable[[Continued], Iterable[StateGrid]]
) -> dict[str, StateGrid]:
    """Return the grid of every state that is kept on one, by the name of its input.

    Parameters
    ----------
    kept
        Names of those states.
    grids_on
        From a state to every grid that there is on its way.

    Raises
    ------
    CheckError
        A state is on another grid than what is put behind it, or than the layer that reads both takes it for.
    """
    found: dict[str, StateGrid] = {}
    for node in flow.nodes:
        state = _continued(flow, node)
        if state is None or state.name not in kept:
            continue
        grids = list(dict.fromkeys(grids_on(state)))
        if len(grids) != 1:
            raise CheckError(
                f"{state.name} is not on one grid",
                got=", ".join(f"{grid.dtype} {grid.scale:g} ({grid.zero_point})" for grid in grids) or "none",
                expected="that of the layer that reads it",
            )
        found[state.name] = grids[0]
    if lost := sorted(set(kept) - set(found)):
        raise CheckError(f"{lost[0]} is kept in integers", got="nothing put behind it", expected="new frames")
    return found
