"""What a model keeps from one run to the next."""

from __future__ import annotations

from dataclasses import dataclass

from ..program import Array


@dataclass
class Cell:
    """A state: what is written to it is what is read from it afterwards."""

    value: Array


def read_state(input: Cell) -> Array:  # noqa: A002  named so in the model language
    """Read the state."""
    return input.value


def update_state(state: Cell, value: Array) -> Array:
    """Write the state, and read it again."""
    state.value = value.astype(state.value.dtype)
    return state.value


OPERATIONS = {"coreml_update_state": update_state, "read_state": read_state}
