"""Products of matrices."""

from __future__ import annotations

import numpy as np

from ..program import Array


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """``x`` times the transposed ``[out, in]`` weight."""
    product: Array = np.matmul(x, weight.T)
    return product if bias is None else product + bias


def matmul(x: Array, y: Array, transpose_x: Array | bool = False, transpose_y: Array | bool = False) -> Array:
    """Product of the last two axes, each factor transposed or not."""
    left = x.swapaxes(-1, -2) if bool(transpose_x) else x
    right = y.swapaxes(-1, -2) if bool(transpose_y) else y
    return np.asarray(np.matmul(left, right))


OPERATIONS = {"linear": linear, "matmul": matmul}
