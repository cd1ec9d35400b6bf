"""Reductions: many numbers to one, over some axes or all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..program import Array


def _log_sum_exp(x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    greatest = x.max(axis=axis, keepdims=True)
    total = np.log(np.exp(x - greatest).sum(axis=axis, keepdims=True)) + greatest
    return np.asarray(total if keepdims else np.squeeze(total, axis=axis))


def _over_axes(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Array, axes: Array | None = None, keep_dims: Array | bool = False) -> Any:
        along = None if axes is None else tuple(int(axis) for axis in np.atleast_1d(axes))
        return function(x, axis=along, keepdims=bool(keep_dims))

    return reduce


def _position(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(
        x: Array, axis: Array | int = -1, keep_dims: Array | bool = False, output_dtype: str = "int32"
    ) -> Any:
        return function(x, axis=int(axis), keepdims=bool(keep_dims))

    return reduce


def _of(function: Callable[..., Any], before: Callable[[Array], Any], after: Callable[[Array], Any]) -> Any:
    return _over_axes(lambda x, axis, keepdims: after(function(before(x), axis=axis, keepdims=keepdims)))


def _same(x: Array) -> Array:
    return x


OPERATIONS: dict[str, Callable[..., Any]] = {
    "reduce_argmax": _position(np.argmax),
    "reduce_argmin": _position(np.argmin),
    "reduce_l1_norm": _of(np.sum, np.abs, _same),
    "reduce_l2_norm": _of(np.sum, np.square, np.sqrt),
    "reduce_log_sum": _of(np.sum, _same, np.log),
    "reduce_log_sum_exp": _over_axes(_log_sum_exp),
    "reduce_max": _over_axes(np.max),
    "reduce_mean": _over_axes(np.mean),
    "reduce_min": _over_axes(np.min),
    "reduce_prod": _over_axes(np.prod),
    "reduce_sum": _over_axes(np.sum),
    "reduce_sum_square": _of(np.sum, np.square, _same),
}
