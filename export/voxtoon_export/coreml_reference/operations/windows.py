"""Sliding windows over the spatial axes, for convolution and pooling alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array

Pads = list[tuple[int, int]]
Index = tuple[Any, ...]


def integers(values: Array) -> list[int]:
    """A parameter that lists numbers, as Python integers."""
    return [int(value) for value in np.atleast_1d(values)]


def extents(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """What a kernel covers along each axis, its holes included."""
    return [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]


def same_pads(sizes: Sequence[int], covered: Sequence[int], strides: Sequence[int], *, lower: bool) -> Pads:
    """Zeros before and after each axis that make ``ceil(size / stride)`` steps; an odd one is after them.

    Parameters
    ----------
    sizes, covered, strides
        Of the input, the kernel with its holes, and the steps, along each axis.
    lower
        Whether an odd one is before them instead.
    """
    pads = []
    for size, extent, stride in zip(sizes, covered, strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + extent - size)
        small, large = total // 2, total - total // 2
        pads.append((large, small) if lower else (small, large))
    return pads


def pads_of(
    pad_type: str, pad: Array, sizes: Sequence[int], covered: Sequence[int], strides: Sequence[int]
) -> Pads:
    """Zeros before and after each axis, for any kind of padding."""
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        numbers = integers(pad)
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    if pad_type in ("same", "same_lower"):
        return same_pads(sizes, covered, strides, lower=pad_type == "same_lower")
    raise CheckError("unknown kind of padding", got=pad_type)


def steps(sizes: Sequence[int], covered: Sequence[int], strides: Sequence[int]) -> list[int]:
    """How many windows fit along each axis."""
    each = zip(sizes, covered, strides, strict=True)
    return [(size - extent) // stride + 1 for size, extent, stride in each]


def taps(
    kernel: Sequence[int], dilations: Sequence[int], strides: Sequence[int], counts: Sequence[int]
) -> Iterator[tuple[Index, Index]]:
    """Yield the index of each element of the kernel, and of what it sees of the input over all windows."""
    for tap in itertools.product(*map(range, kernel)):
        each = zip(tap, dilations, strides, counts, strict=True)
        starts = ((place * dilation, stride, count) for place, dilation, stride, count in each)
        seen = (slice(start, start + (count - 1) * stride + 1, stride) for start, stride, count in starts)
        yield (..., *tap), (..., *seen)
