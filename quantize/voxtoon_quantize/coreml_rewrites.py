"""A transposed convolution in Core ML as an ordinary one, whose activations coremltools can quantize."""

from __future__ import annotations

from typing import Any

import numpy as np

from .coreml_program import WEIGHT, layer_of, only_reader
from .rewrites.transposed_convolution import Axis, phases


def transposed_as_convolution(block: Any) -> None:
    """Rewrite every transposed convolution of a block that has phases: ``conv``, ``relu``, ``pixel_shuffle``.

    What is cropped from its output is its padding; an activation that follows comes before the phases are
    put side by side.
    """
    for operation in list(block.operations):
        if operation.op_type == "conv_transpose" and (axes := _axes(operation)) is not None:
            _rewrite(block, operation, axes)


def _rewrite(block: Any, operation: Any, axes: tuple[Axis, Axis]) -> None:
    from coremltools.converters.mil import Builder  # type: ignore[import-untyped]

    rows, columns = axes
    stride, layer, weight = rows.stride, layer_of(operation.weight), operation.weight.val
    outputs = weight.shape[1]
    convolution = phases(weight, rows, columns).reshape(stride * stride, outputs, *_rest(weight, axes))
    convolution = convolution.swapaxes(0, 1).reshape(-1, *_rest(weight, axes))  # pixel_shuffle's order
    _rename(operation.weight, f"{layer}{WEIGHT}_transposed")
    given = {"weight": Builder.const(val=convolution, name=f"{layer}{WEIGHT}", before_op=operation)}
    if operation.bias is not None:
        bias = np.repeat(operation.bias.val, stride * stride)
        given["bias"] = Builder.const(val=bias, name=f"{layer}_phases_bias", before_op=operation)
    old = [operation]
    if (crop := _cropped(operation)) is not None:
        old.append(crop)
    value = Builder.conv(
        x=operation.x,
        **given,
        pad_type="custom",
        pad=[rows.zeros_start, rows.zeros_end, columns.zeros_start, columns.zeros_end],
        name=f"{layer}_phases",
        before_op=operation,
    )
    relu = only_reader(old[-1].outputs[0])
    if relu is not None and relu.op_type == "relu":
        value = Builder.relu(x=value, name=f"{layer}_phases_relu", before_op=operation)
        old.append(relu)
    value = Builder.pixel_shuffle(
        x=value, upscale_factor=stride, name=f"{layer}_side_by_side", before_op=operation
    )
    if rows.crop_start or rows.crop_end or columns.crop_start or columns.crop_end:
        value = Builder.crop(
            x=value,
            crop_height=[rows.crop_start, rows.crop_end],
            crop_width=[columns.crop_start, columns.crop_end],
            name=f"{layer}_cropped",
            before_op=operation,
        )
    block.replace_uses_of_var_after_op(
        anchor_op=value.op, old_var=old[-1].outputs[0], new_var=value, no_check_var_types=True
    )
    block.remove_ops(old)


def _axes(operation: Any) -> tuple[Axis, Axis] | None:
    weight = operation.weight.val
    plain = operation.groups is None or operation.groups.val == 1
    plain = plain and (operation.dilations is None or set(operation.dilations.val) == {1})
    stride = (1, 1) if operation.strides is None else tuple(map(int, operation.strides.val))
    if weight is None or weight.ndim != 4 or not plain or stride[0] != stride[1] or stride[0] < 2:
        return None
    pads = [0] * 4
    if operation.pad_type is not None and operation.pad_type.val == "custom":
        pads = list(map(int, operation.pad.val))
    if (crop := _cropped(operation)) is not None:
        pads = [pad + int(more) for pad, more in zip(pads, _cut(crop), strict=True)]
        made = crop.outputs[0].shape
    else:
        made = operation.outputs[0].shape
    found = []
    for axis in (0, 1):
        kernel, start = weight.shape[2 + axis], pads[2 * axis]
        # What the output has, whatever pad_type made it so, decides what is cut off at its end.
        end = (operation.x.shape[2 + axis] - 1) * stride[axis] + kernel - start - made[2 + axis]
        found.append(Axis(kernel, stride[axis], start, int(end), 0))
    whole = all(min(axis.zeros_start, axis.zeros_end) >= 0 for axis in found)
    return (found[0], found[1]) if whole else None


def _cropped(operation: Any) -> Any | None:
    reader = only_reader(operation.outputs[0])
    return reader if reader is not None and reader.op_type == "crop" else None


def _cut(crop: Any) -> list[int]:
    return [*map(int, crop.crop_height.val), *map(int, crop.crop_width.val)]


def _rest(weight: Any, axes: tuple[Axis, Axis]) -> tuple[int, int, int]:
    return weight.shape[0], axes[0].taps, axes[1].taps


def _rename(variable: Any, name: str) -> None:
    variable.name = variable.op.name = name
