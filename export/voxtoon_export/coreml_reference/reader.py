"""Reading a saved ``.mlpackage``: coremltools parses it, and everything after that is our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voxtoon.errors import CheckError, InputError
from voxtoon_export.converter_noise import silenced

from .program import Array, Bounds, Feature, Operation, Program, Result, Slot

WEIGHTS = Path("Data", "com.apple.CoreML", "weights")


def read_program(path: str | os.PathLike[str]) -> Program:
    """Read the program of a saved package.

    Parameters
    ----------
    path
        The ``.mlpackage`` folder.

    Raises
    ------
    InputError
        There is no such folder, or coremltools is not installed.
    CheckError
        The package cannot be read, is no ML program, or has more than one function.
    """
    package = Path(path)
    if not package.is_dir():
        raise InputError("no Core ML package", got=str(package), expected="a *.mlpackage folder")
    description, functions = _parse(package)
    if len(functions) != 1:
        raise CheckError(
            f"{package.name} has several functions", got=", ".join(functions), expected="one function"
        )
    (function,) = functions.values()
    return _Translation().program(description, function)


def _parse(package: Path) -> tuple[Any, Any]:
    try:
        with silenced():
            from coremltools import utils  # type: ignore[import-untyped]
            from coremltools.converters.mil.frontend.milproto.load import load  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError("coremltools is not installed", got=error, hint="pip install coremltools") from error
    try:
        with silenced():
            specification = utils.load_spec(str(package))
            program = load(specification, specification.specificationVersion, str(package / WEIGHTS))
    except Exception as error:  # damaged files fail in every way there is
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckError(f"{package.name} cannot be read as an ML program", got=reason) from error
    return specification.description, program.functions


class _Translation:
    """From coremltools' objects to ours; a slot for each of its variables, in the order they are met."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._constants: dict[Slot, Array | str] = {}

    def program(self, description: Any, function: Any) -> Program:
        from coremltools.converters.mil.mil import types  # type: ignore[import-untyped]

        states = {
            name: self._state(name, variable, types)
            for name, variable in function.inputs.items()
            if types.is_state(variable._sym_type)
        }
        operations = tuple(self._operations(function, types))
        inputs = tuple(_feature(item) for item in description.input)
        outputs = tuple(_feature(item) for item in description.output)
        made = {variable.name: variable for variable in function.outputs}
        return Program(
            inputs=inputs,
            input_slots=tuple(self._slot(function.inputs[item.name]) for item in inputs),
            outputs=outputs,
            output_slots=tuple(self._slot(made[item.name]) for item in outputs),
            states=states,
            constants=self._constants,
            operations=operations,
        )

    def _operations(self, function: Any, types: Any) -> Iterator[Operation]:
        for operation in function.operations:
            if operation.op_type == "const":
                (made,) = operation.outputs
                value = made.val if isinstance(made.val, str) else np.asarray(made.val)
                self._constants[self._slot(made)] = value
                continue
            results = tuple(self._result(item, item.dtype, item.shape, types) for item in operation.outputs)
            if operation.blocks:
                raise CheckError(
                    f"the evaluator has no control flow: {operation.op_type}, which makes {results[0].name}"
                )
            given = {name: item for name, item in operation.inputs.items() if item is not None}
            inputs = {name: self._slots_of(item) for name, item in given.items()}
            yield Operation(operation.op_type, inputs, results)

    def _slots_of(self, given: Any) -> Slot | tuple[Slot, ...]:
        if isinstance(given, (tuple, list)):
            return tuple(self._slot(item) for item in given)
        return self._slot(given)

    def _slot(self, variable: Any) -> Slot:
        # The function holds all its variables while it is translated, so that no two have the same id.
        return self._slots.setdefault(id(variable), len(self._slots))

    def _result(self, variable: Any, dtype: Any, shape: Any, types: Any) -> Result:
        sizes = tuple(int(size) if isinstance(size, (int, np.integer)) else None for size in shape)
        return Result(self._slot(variable), variable.name, np.dtype(types.nptype_from_builtin(dtype)), sizes)

    def _state(self, name: str, variable: Any, types: Any) -> Result:
        kept = variable._sym_type.wrapped_type()
        found = self._result(variable, kept.get_primitive(), kept.get_shape(), types)
        return Result(found.slot, name, found.dtype, found.shape)


def _feature(item: Any) -> Feature:
    if item.type.WhichOneof("Type") != "multiArrayType":
        raise CheckError(
            f"{item.name} is no array", got=item.type.WhichOneof("Type"), expected="a multi-array"
        )
    array = item.type.multiArrayType
    names = type(array).DESCRIPTOR.fields_by_name["dataType"].enum_type.values_by_number
    return Feature(item.name, np.dtype(names[array.dataType].name.lower()), _shapes(array))


def _shapes(array: Any) -> tuple[tuple[Bounds, ...], ...]:
    flexible = array.WhichOneof("ShapeFlexibility")
    if flexible == "shapeRange":
        return (tuple(_bounds(item) for item in array.shapeRange.sizeRanges),)
    listed = [item.shape for item in array.enumeratedShapes.shapes] if flexible else [array.shape]
    return tuple(tuple((size, size) for size in shape) for shape in listed if shape)


def _bounds(sizes: Any) -> Bounds:
    return sizes.lowerBound, None if sizes.upperBound < 0 else sizes.upperBound
