"""Activations in eight bits in Core ML: ``quantize`` and ``dequantize`` around the operations, on our ranges.

A runtime with integer arithmetic, as Apple's Neural Engine from A17 Pro and M4 on, computes the operation
between such pairs in integers; any other computes what the pairs leave of its floats.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np

from .coreml_program import layer_of
from .observers import Range

STATIC: Final = ("conv", "linear")
"""Those operations with weights of which coremltools quantizes the activations."""
MOVES: Final = ("max_pool", "reshape", "pixel_shuffle", "crop", "transpose", "squeeze", "expand_dims")
"""Operations whose results are values of their input: they stay on its grid."""


def observed(operations: Collection[Any], layers: Collection[str]) -> dict[str, str]:
    """Say of each value that gets a grid whose values give it: its own, or those that it only moves.

    Parameters
    ----------
    operations
        Of a program, in order.
    layers
        Those whose inputs are to be integers.
    """
    wanted: list[Any] = []
    for operation in operations:
        if operation.op_type in STATIC and layer_of(operation.weight) in layers:
            value = operation.x
            while value is not None and value not in wanted:
                wanted.append(value)
                maker = value.op
                value = maker.x if maker is not None and maker.op_type in MOVES else None
    return {value.name: _source(value).name for value in wanted}


def _source(value: Any) -> Any:
    while value.op is not None and value.op.op_type in MOVES:
        value = value.op.x
    return value


def insert(block: Any, ranges: Mapping[str, Range]) -> None:
    """Let every reader of some values have them rounded to 256 levels.

    Parameters
    ----------
    block
        Of a program.
    ranges
        The range of each of the values, by name; they are inputs, or made by operations of the block.
    """
    from coremltools.converters.mil import Builder  # type: ignore[import-untyped]

    found = {value.name: value for value in block.inputs.values()}
    found |= {value.name: value for operation in block.operations for value in operation.outputs}
    for name, (low, high) in ranges.items():
        value = found[name]
        (first, *_) = [operation for operation in block.operations if operation in value.child_ops]
        scale, zero = grid(low, high)
        real = np.float16 if value.dtype.__name__ == "fp16" else np.float32
        rounded = Builder.quantize(
            input=value,
            scale=real(scale),
            zero_point=np.int8(zero),
            output_dtype="int8",
            name=f"{name}_quantized",
            before_op=first,
        )
        restored = Builder.dequantize(
            input=rounded,
            scale=real(scale),
            zero_point=np.int8(zero),
            name=f"{name}_dequantized",
            before_op=first,
        )
        block.replace_uses_of_var_after_op(anchor_op=restored.op, old_var=value, new_var=restored)


def grid(low: float, high: float) -> tuple[float, int]:
    """Return scale and zero point of signed integers of eight bits over a range that holds zero.

    The scale is one that float16 holds: what computes in it then has the same grid.
    """
    scale = float(np.float16(max((high - low) / 255.0, 2.0**-14)))
    return scale, int(np.clip(round(-128.0 - low / scale), -128, 127))
