"""Parts of an array, and an array with more around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array
from .windows import integers

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def slice_by_index(
    x: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    """``x[begin:end:stride]`` along every axis, as Python slices; a mask ignores its number."""
    return np.asarray(x[_index(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)])


def slice_update(
    x: Array,
    update: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    """A copy of ``x`` with the slice that `slice_by_index` would give replaced."""
    changed = x.copy()
    changed[_index(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)] = update
    return changed


def _index(
    x: Array,
    begin: Array,
    end: Array,
    stride: Array | None,
    begin_mask: Array | None,
    end_mask: Array | None,
    squeeze_mask: Array | None,
) -> tuple[Any, ...]:
    steps = [1] * x.ndim if stride is None else integers(stride)
    masks = [[False] * x.ndim if mask is None else mask for mask in (begin_mask, end_mask, squeeze_mask)]
    return tuple(
        (0 if from_start else first)
        if single
        else slice(None if from_start else first, None if to_end else last, step)
        for first, last, step, from_start, to_end, single in zip(
            integers(begin), integers(end), steps, *masks, strict=True
        )
    )


def slice_by_size(x: Array, begin: Array, size: Array) -> Array:
    """So many elements from ``begin`` along every axis; -1 for all that follow."""
    starts = [first % length for first, length in zip(integers(begin), x.shape, strict=True)]
    each = zip(starts, integers(size), strict=True)
    return x[tuple(slice(first, None if count == -1 else first + count) for first, count in each)]


def crop(x: Array, crop_height: Array, crop_width: Array) -> Array:
    """Without so many elements before and after the last two axes."""
    (top, bottom), (left, right) = integers(crop_height), integers(crop_width)
    height, width = x.shape[-2:]
    return x[..., top : height - bottom, left : width - right]


def pad(x: Array, pad: Array, mode: str = "constant", constant_val: Array | float = 0.0) -> Array:
    """More elements before and after the last axes."""
    if mode not in _MODES:
        raise CheckError("unknown mode of padding", got=mode, expected=", ".join(_MODES))
    numbers = integers(pad)
    amounts = list(zip(numbers[::2], numbers[1::2], strict=True))
    amounts = [(0, 0)] * (x.ndim - len(amounts)) + amounts
    if mode == "constant":
        return np.pad(x, amounts, constant_values=constant_val)
    limits = [size - (mode == "reflect") for size in x.shape]
    if any(max(both) > limit for both, limit in zip(amounts, limits, strict=True)):
        raise CheckError(f"more {mode} padding than there is to copy", got=amounts, expected=limits)
    padded: Array = np.pad(x, amounts, _MODES[mode])  # type: ignore[call-overload]
    return padded


def gather(
    x: Array,
    indices: Array,
    axis: Array | int = 0,
    batch_dims: Array | int = 0,
    validate_indices: Array | bool = False,
) -> Array:
    """The elements at ``indices`` along an axis."""
    place = int(axis) % x.ndim
    if int(batch_dims) != 0:
        raise CheckError("the evaluator does not know batch dimensions of gather", got=int(batch_dims))
    if np.any(indices < -x.shape[place]) or np.any(indices >= x.shape[place]):
        raise CheckError("an index is outside", expected=f"below {x.shape[place]}")
    return np.take(x, indices, axis=place)


OPERATIONS = {
    "crop": crop,
    "gather": gather,
    "pad": pad,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "slice_update": slice_update,
}
