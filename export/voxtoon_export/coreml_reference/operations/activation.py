"""Activations: a number to a number, but for the softmax."""

from __future__ import annotations

import math

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array


def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, written so that no exponential overflows."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``, also where ``exp(x)`` overflows."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def leaky_relu(x: Array, alpha: Array) -> Array:
    """Negative values times ``alpha``."""
    return np.where(x >= 0, x, alpha * x)


def prelu(x: Array, alpha: Array) -> Array:
    """Negative values times the ``alpha`` of their channel."""
    return leaky_relu(x, alpha.reshape(-1, *[1] * (x.ndim - 2)))


def elu(x: Array, alpha: Array) -> Array:
    """Negative values become ``alpha * (exp(x) - 1)``."""
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gelu(x: Array, mode: str = "EXACT") -> Array:
    """``x`` times the Gaussian distribution function, or one of its two approximations."""
    if mode == "TANH_APPROXIMATION":
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    if mode == "SIGMOID_APPROXIMATION":
        return np.asarray(x * sigmoid(1.702 * x))
    if mode != "EXACT":
        raise CheckError("unknown mode", got=mode)
    error_function = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray(0.5 * x * (1 + error_function(x / math.sqrt(2))))


def softmax(x: Array, axis: Array | int = -1) -> Array:
    """Exponentials along an axis, divided by their sum."""
    exponentials = np.exp(x - x.max(axis=int(axis), keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=int(axis), keepdims=True))


OPERATIONS = {
    "clamped_relu": lambda x, alpha, beta: np.minimum(leaky_relu(x, alpha), beta),
    "elu": elu,
    "gelu": gelu,
    "leaky_relu": leaky_relu,
    "linear_activation": lambda x, alpha, beta: alpha * x + beta,
    "prelu": prelu,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "scaled_tanh": lambda x, alpha, beta: alpha * np.tanh(beta * x),
    "sigmoid": sigmoid,
    "sigmoid_hard": lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
    "silu": lambda x: x * sigmoid(x),
    "softmax": softmax,
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": lambda x: np.tanh(x),
    "thresholded_relu": lambda x, alpha: np.where(x >= alpha, x, 0),
}
