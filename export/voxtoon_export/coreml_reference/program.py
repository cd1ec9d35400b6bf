"""A Core ML program as plain data: what is computed from what, with nothing of coremltools left in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Slot = int
"""A value of the program, by its place: names need not be unique in a file."""

Bounds = tuple[int, int | None]
"""Least and greatest size of an axis; None for no limit."""


@dataclass(frozen=True)
class Feature:
    """An input or output of the model, as its description promises it to callers.

    Parameters
    ----------
    name
        What callers call it.
    dtype
        Of its array.
    shapes
        Every kind of shape it may have, each with the bounds of all its axes: one of fixed size, one with a
        flexible axis, or an enumeration. Empty where the description says nothing.
    """

    name: str
    dtype: np.dtype[Any]
    shapes: tuple[tuple[Bounds, ...], ...] = ()

    def allows(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape is one."""
        return not self.shapes or any(_within(shape, bounds) for bounds in self.shapes)


def _within(shape: tuple[int, ...], bounds: tuple[Bounds, ...]) -> bool:
    return len(shape) == len(bounds) and all(
        low <= size and (high is None or size <= high)
        for size, (low, high) in zip(shape, bounds, strict=True)
    )


@dataclass(frozen=True)
class Result:
    """A value that an operation makes: its declared type, where None is an axis of any size."""

    slot: Slot
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Operation:
    """One step: its kind (``conv``, ``relu``, ...), its inputs by parameter name, and what it makes."""

    kind: str
    inputs: Mapping[str, Slot | tuple[Slot, ...]]
    results: tuple[Result, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All values it takes."""
        listed = (item if isinstance(item, tuple) else (item,) for item in self.inputs.values())
        return tuple(slot for slots in listed for slot in slots)


@dataclass(frozen=True)
class Program:
    """A program with one function.

    Parameters
    ----------
    inputs, outputs
        What it takes and gives, in order; ``input_slots`` and ``output_slots`` are their places.
    states
        What it keeps from one run to the next, by name: the place, type and shape of each.
    constants
        Arrays and texts that are written in the file.
    operations
        In an order in which they can be computed.
    """

    inputs: tuple[Feature, ...]
    input_slots: tuple[Slot, ...]
    outputs: tuple[Feature, ...]
    output_slots: tuple[Slot, ...]
    states: Mapping[str, Result]
    constants: Mapping[Slot, Array | str]
    operations: tuple[Operation, ...]
