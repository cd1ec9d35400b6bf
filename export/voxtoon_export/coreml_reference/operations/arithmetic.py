"""Arithmetic and logic, element by element, with the broadcasting of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..program import Array


def _binary(function: Callable[[Array, Array], Any]) -> Callable[..., Array]:
    return lambda x, y: function(x, y)


def _unary(function: Callable[[Array], Any]) -> Callable[..., Array]:
    return lambda x: function(x)


def cast(x: Array, dtype: str) -> Array:
    """Another type, which is the declared one of the result: rounding to that does it."""
    return x


def divide(x: Array, y: Array) -> Array:
    """Quotient; of integers, without its fraction."""
    return np.asarray(np.true_divide(x, y))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "abs": _unary(np.abs),
    "add": _binary(np.add),
    "cast": cast,
    "ceil": _unary(np.ceil),
    "clip": lambda x, alpha, beta: np.clip(x, alpha, beta),
    "cos": _unary(np.cos),
    "equal": _binary(np.equal),
    "exp": _unary(np.exp),
    "floor": _unary(np.floor),
    "floor_div": _binary(np.floor_divide),
    "greater": _binary(np.greater),
    "greater_equal": _binary(np.greater_equal),
    "identity": lambda x: x,
    "inverse": lambda x, epsilon=0.0: 1 / (x + epsilon),
    "less": _binary(np.less),
    "less_equal": _binary(np.less_equal),
    "log": lambda x, epsilon=0.0: np.log(x + epsilon),
    "logical_and": _binary(np.logical_and),
    "logical_not": _unary(np.logical_not),
    "logical_or": _binary(np.logical_or),
    "logical_xor": _binary(np.logical_xor),
    "maximum": _binary(np.maximum),
    "minimum": _binary(np.minimum),
    "mod": _binary(np.mod),
    "mul": _binary(np.multiply),
    "not_equal": _binary(np.not_equal),
    "pow": _binary(np.power),
    "real_div": divide,
    "round": _unary(np.round),
    "rsqrt": lambda x, epsilon=0.0: 1 / np.sqrt(x + epsilon),
    "select": lambda cond, a, b: np.where(cond, a, b),
    "sign": _unary(np.sign),
    "sin": _unary(np.sin),
    "sqrt": _unary(np.sqrt),
    "square": _unary(np.square),
    "sub": _binary(np.subtract),
    "threshold": lambda x, alpha: np.maximum(x, alpha),
}
