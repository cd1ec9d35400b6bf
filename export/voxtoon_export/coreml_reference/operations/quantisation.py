"""Numbers as small integers and back, while the model runs."""

from __future__ import annotations

import numpy as np

from ..program import Array


def quantize(
    input: Array,  # noqa: A002  named so in the model language
    scale: Array,
    output_dtype: str,
    zero_point: Array | None = None,
    axis: Array | None = None,
) -> Array:
    """``round(input / scale) + zero_point``, cut off at what the type holds."""
    limits = np.iinfo(output_dtype)
    steps = np.round(input / along(scale, input.ndim, axis))
    return np.clip(steps + _zero(zero_point, input.ndim, axis), limits.min, limits.max)


def dequantize(
    input: Array,  # noqa: A002  named so in the model language
    scale: Array,
    zero_point: Array | None = None,
    axis: Array | None = None,
) -> Array:
    """``scale * (input - zero_point)``."""
    shifted = input.astype(np.float32) - _zero(zero_point, input.ndim, axis)
    return np.asarray(along(scale, input.ndim, axis) * shifted)


def along(values: Array, rank: int, axis: Array | int | None) -> Array:
    """One number for all, or one for each element of an axis, ready to be broadcast."""
    if values.ndim == 0 or axis is None:
        return values
    return values.reshape([-1 if place == int(axis) % rank else 1 for place in range(rank)])


def _zero(zero_point: Array | None, rank: int, axis: Array | None) -> Array:
    return (
        np.zeros((), np.float32) if zero_point is None else along(zero_point, rank, axis).astype(np.float32)
    )


OPERATIONS = {"dequantize": dequantize, "quantize": quantize}
