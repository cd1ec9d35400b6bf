"""Pooling: the greatest, the mean, or the Euclidean length of each window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array
from .windows import Pads, integers, pads_of, steps, taps


def max_pool(
    x: Array, kernel_sizes: Array, strides: Array, pad_type: str, pad: Array, ceil_mode: Array | bool = False
) -> Array:
    """Greatest value of each window; padding is never the greatest."""
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    return windows.over(x, np.maximum, outside=-np.inf)


def avg_pool(
    x: Array,
    kernel_sizes: Array,
    strides: Array,
    pad_type: str,
    pad: Array,
    ceil_mode: Array | bool = False,
    exclude_padding_from_average: Array | bool = False,
) -> Array:
    """Mean of each window; zeros of the padding count, if not excluded, but not what `ceil_mode` adds."""
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    counted = np.ones((1, 1, *x.shape[2:]), np.float32)
    within = 0.0 if bool(exclude_padding_from_average) else 1.0
    return windows.over(x, np.add) / windows.over(counted, np.add, padding=within)


def l2_pool(
    x: Array, kernel_sizes: Array, strides: Array, pad_type: str, pad: Array, ceil_mode: Array | bool = False
) -> Array:
    """Square root of the sum of squares of each window."""
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    return np.asarray(np.sqrt(windows.over(np.square(x), np.add)))


class _Windows:
    """The windows of one pooling."""

    def __init__(
        self, x: Array, kernel_sizes: Array, strides: Array, pad_type: str, pad: Array, ceil_mode: bool
    ) -> None:
        self.kernel, self.strides = integers(kernel_sizes), integers(strides)
        sizes = x.shape[2:]
        self.pads = pads_of(pad_type, pad, sizes, self.kernel, self.strides)
        padded = [size + sum(both) for size, both in zip(sizes, self.pads, strict=True)]
        self.counts = steps(padded, self.kernel, self.strides)
        if ceil_mode:
            self.counts = [
                _rounded_up(*each) for each in zip(sizes, self.pads, self.kernel, self.strides, strict=True)
            ]
        if min(self.counts) < 1:
            raise CheckError("the input is smaller than the window", got=list(sizes), expected=self.kernel)
        self.beyond: Pads = [
            (0, max(0, (count - 1) * stride + extent - size))
            for count, stride, extent, size in zip(
                self.counts, self.strides, self.kernel, padded, strict=True
            )
        ]

    def over(
        self,
        x: Array,
        combine: Callable[[Array, Array], Array],
        *,
        outside: float = 0.0,
        padding: float | None = None,
    ) -> Array:
        """Combine the values of each window; ``outside`` is what is beyond, ``padding`` the padding."""
        inner = outside if padding is None else padding
        padded = np.pad(x, [(0, 0), (0, 0), *self.pads], constant_values=inner)
        padded = np.pad(padded, [(0, 0), (0, 0), *self.beyond], constant_values=outside)
        ones = [1] * len(self.kernel)
        values = (padded[seen] for _, seen in taps(self.kernel, ones, self.strides, self.counts))
        return np.asarray(reduce(combine, values))


def _rounded_up(size: int, pads: Sequence[int], kernel: int, stride: int) -> int:
    """Count of windows, a last incomplete one included if it starts in the input or the padding before it."""
    count = math.ceil((size + sum(pads) - kernel) / stride) + 1
    return count - 1 if (count - 1) * stride >= size + pads[0] and sum(pads) > 0 else count


OPERATIONS = {"avg_pool": avg_pool, "l2_pool": l2_pool, "max_pool": max_pool}
