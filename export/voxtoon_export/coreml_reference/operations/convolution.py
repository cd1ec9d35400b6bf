"""Convolution and transposed convolution over one, two or three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array
from .windows import Index, Pads, extents, integers, pads_of, same_pads, steps, taps


def conv(
    x: Array,
    weight: Array,
    strides: Array,
    pad_type: str,
    pad: Array,
    dilations: Array,
    groups: Array,
    bias: Array | None = None,
) -> Array:
    """Convolve ``[batch, channel, ...]`` with ``[out, channel / groups, *kernel]``."""
    kernel, stride, dilation = weight.shape[2:], integers(strides), integers(dilations)
    covered = extents(kernel, dilation)
    pads = pads_of(pad_type, pad, x.shape[2:], covered, stride)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    counts = steps(padded.shape[2:], covered, stride)
    if min(counts) < 1:
        raise CheckError("the input is smaller than the kernel", got=list(x.shape[2:]), expected=covered)
    number, batch = int(groups), x.shape[0]
    kernels = weight.reshape(number, -1, *weight.shape[1:])
    made = np.zeros((batch, number, kernels.shape[1], math.prod(counts)), np.float32)
    for tap, seen in taps(kernel, dilation, stride, counts):
        columns = padded[seen].reshape(batch, number, weight.shape[1], -1)
        made += np.matmul(kernels[tap], columns)
    return _with_bias(made.reshape(batch, weight.shape[0], *counts), bias)


def conv_transpose(
    x: Array,
    weight: Array,
    strides: Array,
    pad_type: str,
    pad: Array,
    dilations: Array,
    groups: Array,
    bias: Array | None = None,
    output_shape: Array | None = None,
) -> Array:
    """Transposed convolution of ``[batch, channel, ...]`` with ``[channel, out / groups, *kernel]``."""
    kernel, stride, dilation = weight.shape[2:], integers(strides), integers(dilations)
    each = zip(x.shape[2:], stride, extents(kernel, dilation), strict=True)
    whole = [(size - 1) * step + extent for size, step, extent in each]
    number, batch, sizes = int(groups), x.shape[0], x.shape[2:]
    kernels = weight.reshape(number, -1, *weight.shape[1:]).swapaxes(1, 2)
    columns = x.reshape(batch, number, x.shape[1] // number, -1)
    made = np.zeros((batch, number, weight.shape[1], *whole), np.float32)
    for tap, reached in taps(kernel, dilation, stride, sizes):
        made[reached] += np.matmul(kernels[tap], columns).reshape(batch, number, -1, *sizes)
    wanted = None if output_shape is None else integers(output_shape)[2:]
    pads = _cut(pad_type, pad, sizes, whole, extents(kernel, dilation), stride, wanted)
    return _with_bias(_without(made.reshape(batch, -1, *whole), pads), bias)


def _cut(
    pad_type: str,
    pad: Array,
    sizes: Sequence[int],
    whole: Sequence[int],
    covered: Sequence[int],
    strides: Sequence[int],
    wanted: Sequence[int] | None,
) -> Pads:
    """What is taken off before and after each axis of the whole result; less than nothing is added instead.

    An output shape says which of the inputs of a convolution with this padding is meant: all those that it
    takes to as many steps as there are here. Any other shape would be a guess, and is refused.
    """
    if pad_type == "same":
        made = wanted or [size * stride for size, stride in zip(sizes, strides, strict=True)]
        before = [first for first, _ in same_pads(made, covered, strides, lower=False)]
        possible = [
            -(-size // stride) == count for size, stride, count in zip(made, strides, sizes, strict=True)
        ]
    else:
        pads = pads_of(pad_type, pad, sizes, covered, strides)
        before = [first for first, _ in pads]
        least = [size - sum(both) for size, both in zip(whole, pads, strict=True)]
        made = wanted or least
        possible = [0 <= size - low < step for size, low, step in zip(made, least, strides, strict=True)]
    if not all(possible):
        raise CheckError("output_shape does not go with the padding", got=list(made), expected=pad_type)
    each = zip(whole, before, made, strict=True)
    return [(first, size - first - target) for size, first, target in each]


def _without(values: Array, pads: Pads) -> Array:
    added = [(0, max(0, -after)) for _, after in pads]
    values = np.pad(values, [(0, 0), (0, 0), *added])
    each = zip(values.shape[2:], pads, strict=True)
    kept: Index = (..., *(slice(before, size - max(0, after)) for size, (before, after) in each))
    return np.asarray(values[kept])


def _with_bias(values: Array, bias: Array | None) -> Array:
    return values if bias is None else values + bias.reshape(-1, *[1] * (values.ndim - 2))


OPERATIONS = {"conv": conv, "conv_transpose": conv_transpose}
