"""Activations in eight bits in Core ML: ``quantize`` and ``dequantize`` around the operations, on our ranges.

A runtime with integer arithmetic, as Apple's Neural Engine from A17 Pro and M4 on, computes the operation
between such pairs in integers; any other computes what the pairs leave of its floats.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from .coreml_program import layer_of
from .coreml_states import CoreMLFlow
from .graph_state import Continued, continued, is_kept, sources
from .observers import Range

STATIC: Final = ("conv", "linear")
"""Those operations with weights of which coremltools quantizes the activations."""


def observed(operations: Sequence[Any], layers: Collection[str]) -> dict[str, str]:
    """Say of each value that gets a grid whose values give it.

    Its own, or those that it only moves; where a state is moved, those of state and new frames together.

    Parameters
    ----------
    operations
        Of a program, in order.
    layers
        Those whose inputs are to be integers.
    """
    flow = CoreMLFlow(operations)
    found: dict[str, str] = {}
    for operation in operations:
        if operation.op_type in STATIC and layer_of(operation.weight) in layers:
            name = flow.name(operation.x)
            state = continued(flow, name)
            if state is None:
                chain = sources(flow, name)
                found |= dict.fromkeys(chain, chain[-1])
            else:
                found |= dict.fromkeys(_rounded(flow, state), state.output)
    return {flow.own_name(name): flow.own_name(source) for name, source in found.items()}


def _rounded(flow: CoreMLFlow, state: Continued) -> Iterator[str]:
    """The values on the way of a state that are rounded: each that is made, or that a layer or a pool reads.

    Not what comes from outside and is turned around first, nor what is kept, which is on the grid by then.
    """
    for name in state.tensors:
        maker = flow.producer(name)
        if maker is None:
            later = all(reader.op_type in flow.moving for reader in flow.consumers(name))
        else:
            later = is_kept(flow, maker)
        if not later:
            yield name


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
