"""Computing a program, one operation at a time."""

from __future__ import annotations

import inspect
import os
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from voxtoon.errors import CheckError, InputError
from voxtoon_export.first_difference import Intermediate

from .operations import OPERATIONS
from .operations.state import Cell
from .program import Array, Feature, Operation, Program, Result, Slot
from .reader import read_program

CONSTANT = "constexpr_"
"""What the kinds of operations that unpack compressed weights begin with."""

State = dict[str, Array]
Values = dict[Slot, Any]


def load(path: str | os.PathLike[str]) -> ReferenceModel:
    """Read a saved package and make it ready to compute.

    Parameters
    ----------
    path
        The ``.mlpackage`` folder.

    Raises
    ------
    InputError
        There is no such folder, or coremltools is not installed.
    CheckError
        The package is damaged, or has something that the evaluator does not know: nothing is skipped.
    """
    return ReferenceModel(read_program(path))


class ReferenceModel:
    """A Core ML program that can be computed anywhere.

    Parameters
    ----------
    program
        As read from a package.

    Attributes
    ----------
    inputs, outputs
        What it takes and gives: names, types and shapes.

    Raises
    ------
    CheckError
        An operation, or a parameter of one, is unknown: its kind and its output are named.
    """

    def __init__(self, program: Program) -> None:
        for operation in program.operations:
            _check_known(operation)
        self.inputs = program.inputs
        self.outputs = program.outputs
        self._program = program
        self._constants: Values = dict(program.constants)
        self._steps: list[Operation] = []
        for operation in program.operations:
            if operation.kind.startswith(CONSTANT):
                self._constants.update(_compute(operation, self._constants))
            else:
                self._steps.append(operation)
        self._last_use = {slot: number for number, step in enumerate(self._steps) for slot in step.slots}
        self._last_use |= dict.fromkeys(program.output_slots, len(self._steps))

    def make_state(self) -> State:
        """Return a fresh state, all zeros; empty for a model that keeps nothing."""
        return {
            name: np.zeros(tuple(size or 0 for size in kept.shape), kept.dtype)
            for name, kept in self._program.states.items()
        }

    def predict(self, inputs: Mapping[str, Array], state: State | None = None) -> dict[str, Array]:
        """Compute the outputs.

        Parameters
        ----------
        inputs
            An array for each name. Numbers of another width are converted, as Core ML does.
        state
            Of `make_state`; what the model writes to it is there afterwards. A stateful model needs one.

        Raises
        ------
        InputError
            An input is missing, unknown, or not of a shape or type that the model takes.
        CheckError
            A step makes another shape than the file says, or asks for what is not defined.
        """
        values = self._start(inputs, state)
        for _ in self._run(values, state):
            pass
        slots = zip(self.outputs, self._program.output_slots, strict=True)
        return {item.name: np.asarray(values[slot], item.dtype) for item, slot in slots}

    def intermediates(
        self, inputs: Mapping[str, Array], state: State | None = None
    ) -> Iterator[Intermediate]:
        """Compute every value on the way, in order, so that the first that is wrong can be named.

        Parameters and errors are those of `predict`.
        """
        yield from self._run(self._start(inputs, state), state)

    def _start(self, inputs: Mapping[str, Array], state: State | None) -> ChainMap[Slot, Any]:
        expected = [item.name for item in self.inputs]
        if sorted(inputs) != sorted(expected):
            raise InputError("inputs", got=", ".join(sorted(inputs)) or "none", expected=", ".join(expected))
        kept = {} if state is None else state
        if sorted(kept) != sorted(self._program.states):
            names = ", ".join(sorted(self._program.states))
            raise InputError("state", got=", ".join(sorted(kept)) or "none", expected=names or "none")
        values: Values = {
            slot: _as_input(np.asarray(inputs[item.name]), item)
            for item, slot in zip(self.inputs, self._program.input_slots, strict=True)
        }
        values |= {item.slot: Cell(kept[name]) for name, item in self._program.states.items()}
        return ChainMap(values, self._constants)

    def _run(self, values: ChainMap[Slot, Any], state: State | None) -> Iterator[Intermediate]:
        for number, step in enumerate(self._steps):
            values.update(_compute(step, values))
            for result in step.results:
                yield Intermediate(step.kind, result.name, values[result.slot])
            for slot in step.slots:
                if self._last_use[slot] == number and not isinstance(values.get(slot), Cell):
                    values.maps[0].pop(slot, None)
        if state is not None:
            state.update({name: values[kept.slot].value for name, kept in self._program.states.items()})


def _as_input(array: Array, declared: Feature) -> Array:
    if not declared.allows(array.shape):
        raise InputError(f"shape of {declared.name}", got=list(array.shape), expected=declared.shapes)
    if not np.can_cast(array.dtype, declared.dtype, "same_kind"):
        raise InputError(f"type of {declared.name}", got=array.dtype, expected=declared.dtype)
    return array.astype(declared.dtype)


def _check_known(operation: Operation) -> None:
    made = operation.results[0].name if operation.results else "nothing"
    handler = OPERATIONS.get(operation.kind)
    if handler is None:
        raise CheckError(f"the evaluator does not know the operation {operation.kind}, which makes {made}")
    unknown = operation.inputs.keys() - inspect.signature(handler).parameters.keys()
    if unknown:
        raise CheckError(
            f"the evaluator does not know a parameter of {operation.kind}, which makes {made}",
            got=", ".join(sorted(unknown)),
        )


def _compute(operation: Operation, values: Mapping[Slot, Any]) -> Values:
    """Compute one operation: in float32 where its values are float16, each result rounded to its type."""
    given = {name: _given(slot, values) for name, slot in operation.inputs.items()}
    where = f"{operation.kind} (makes {', '.join(result.name for result in operation.results)})"
    try:
        # What overflows stays infinite in the outputs, where a comparison finds it.
        with np.errstate(all="ignore"):
            made = OPERATIONS[operation.kind](**given)
            made = made if isinstance(made, tuple) else (made,)
            pairs = list(zip(operation.results, made, strict=True))
            return {result.slot: _as_declared(np.asarray(value), result) for result, value in pairs}
    except CheckError as error:
        raise CheckError(f"{where}: {error}") from error
    except (ValueError, IndexError, TypeError) as error:
        raise CheckError(f"{where} cannot be computed", got=error) from error


def _given(slot: Slot | tuple[Slot, ...], values: Mapping[Slot, Any]) -> Any:
    """Take an input from the values, with float16 made float32."""
    if isinstance(slot, tuple):
        return tuple(_given(item, values) for item in slot)
    value = values[slot]
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float16 else value


def _as_declared(value: Array, declared: Result) -> Array:
    fits = value.ndim == len(declared.shape) and all(
        wanted in (None, size) for size, wanted in zip(value.shape, declared.shape, strict=True)
    )
    if not fits:
        raise CheckError(f"shape of {declared.name}", got=list(value.shape), expected=list(declared.shape))
    return value.astype(declared.dtype, copy=False)
