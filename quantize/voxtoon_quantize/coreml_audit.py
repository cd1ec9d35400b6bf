"""What of a Core ML artefact can run in integers: read from the operations of its program.

Core ML tells on no platform but its own what a device does with an operation. What can be told from the
program is whether both sides of a multiplication are eight-bit integers in it; a device that has integer
arithmetic multiplies these then.
"""

from __future__ import annotations

import math
from typing import Any, Final

from voxtoon.engines import coreml
from voxtoon.errors import CheckError

from .audit import Audit, Operator
from .coreml_activations import STATIC
from .coreml_program import WEIGHTED, Files, layer_of, operations
from .formats import Inputs

_LINEAR: Final = ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale")
_CONVERSIONS: Final = ("quantize", "dequantize", "cast", "const")


def audit(files: Files, inputs: Inputs) -> Audit:
    """Compute a package once, for the sizes of its values, and list its operations.

    Raises
    ------
    CheckError
        The package is damaged, or cannot be computed.
    """
    session = coreml.load(files, precision="any", threads=None)
    assert isinstance(session, coreml.CoreMLSession)
    shapes = {name: value.shape for _, name, value in session.model.intermediates(inputs)}
    found = []
    for operation in operations(files):
        if operation.op_type in _CONVERSIONS or operation.op_type.startswith("constexpr_"):
            continue
        (made,) = operation.outputs
        if operation.op_type in WEIGHTED:
            macs = _macs(operation, shapes)
            found.append(Operator(layer_of(operation.weight), operation.op_type, macs, _reason(operation)))
        else:
            integer = any(item.op_type == "quantize" for item in made.child_ops) and _is_restored(operation)
            found.append(Operator("", operation.op_type, 0, None if integer else "left in float"))
    if not found:
        raise CheckError("the program has no operations")
    return Audit(tuple(found))


def _reason(operation: Any) -> str | None:
    if operation.op_type not in STATIC:
        return "coremltools quantizes no activations of it"
    maker = operation.weight.op
    integer_weights = maker.op_type in _LINEAR
    if integer_weights and _is_restored(operation):
        return None
    if maker.op_type == "const":
        return "left in float"
    return "its weights alone are integers" if integer_weights else "its weights alone are small"


def _is_restored(operation: Any) -> bool:
    """Whether what an operation takes was eight bits before."""
    values = operation.inputs.get("values") or (operation.inputs.get("x"),)
    return all(
        value is not None and value.op is not None and value.op.op_type == "dequantize" for value in values
    )


def _macs(operation: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    weight, output = operation.weight.shape, shapes[operation.outputs[0].name]
    if operation.op_type == "conv_transpose":
        return int(math.prod(shapes[operation.x.name]) * math.prod(weight[1:]))
    return int(math.prod(output) * math.prod(weight[1:]))
