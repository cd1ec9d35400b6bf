"""Where an artefact leaves the way: the first of the values on it that a reference does not agree with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Intermediate(NamedTuple):
    """A value on the way: the kind of operation that made it, its name, and the array."""

    kind: str
    name: str
    value: Array


@dataclass(frozen=True)
class Difference:
    """The stretch of a program in which an error appears.

    Parameters
    ----------
    after, before
        The last of the reference's values that the program also makes, None if there is none; and the next
        of the reference's, which it does not.
    operations
        What the program computes in between: kind and name of each operation's result.
    """

    after: str | None
    before: str
    operations: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        listed = ", ".join(f"{kind} {name}" for kind, name in self.operations) or "no operation"
        place = f"at {self.before}" if self.after is None else f"after {self.after}, at {self.before}"
        return f"it appears {place}: {listed}"


def first_difference(
    values: Iterable[Intermediate],
    references: Sequence[tuple[str, Array]],
    *,
    max_abs_relative: float,
) -> Difference | None:
    """Find the first operations that make something else than a reference.

    Parameters
    ----------
    values
        What the program makes on the way, in order.
    references
        Name and value of what the reference makes on the way to one output, in order, each from the one
        before. A value that the program does not make, because it does two steps in one, is passed over.
    max_abs_relative
        What is still the same: the largest difference, over the largest absolute value of the reference.

    Returns
    -------
    Difference or None
        None where the program makes the last reference.
    """
    made = list(values)
    places = [_place(made, reference, max_abs_relative) for _, reference in references]
    agreed = max((number for number, place in enumerate(places) if place is not None), default=-1)
    if agreed == len(references) - 1:
        return None
    name, reference = references[agreed + 1]
    start = -1 if agreed < 0 else places[agreed]
    assert start is not None  # it agreed
    return Difference(
        after=references[agreed][0] if agreed >= 0 else None,
        before=name,
        operations=tuple(_until(made[start + 1 :], reference.shape)),
    )


def _place(values: Sequence[Intermediate], reference: Array, max_abs_relative: float) -> int | None:
    limit = max_abs_relative * float(np.abs(reference).max(initial=0.0))
    for number, (_, _, value) in enumerate(values):
        if value.shape == reference.shape and float(np.abs(value - reference).max(initial=0.0)) <= limit:
            return number
    return None


def _until(values: Sequence[Intermediate], shape: tuple[int, ...]) -> list[tuple[str, str]]:
    """Kinds and names up to the first value of a shape; all where none has it."""
    found = []
    for kind, name, value in values:
        found.append((kind, name))
        if value.shape == shape:
            break
    return found
