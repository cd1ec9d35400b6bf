"""Normalisations."""

from __future__ import annotations

import numpy as np

from ..program import Array


def batch_norm(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:
    """Normalise each channel, the second axis, by numbers that are given."""
    scale = 1 / np.sqrt(variance + epsilon)
    scale = scale if gamma is None else scale * gamma
    shape = (-1, *[1] * (x.ndim - 2))
    normalised = (x - mean.reshape(shape)) * scale.reshape(shape)
    return normalised if beta is None else normalised + beta.reshape(shape)


def instance_norm(
    x: Array, gamma: Array | None = None, beta: Array | None = None, epsilon: Array | float = 1e-5
) -> Array:
    """Normalise each channel of each item by its own mean and variance."""
    axes = tuple(range(2, x.ndim))
    return _by_own_numbers(x, axes, gamma, beta, epsilon, (-1, *[1] * len(axes)))


def layer_norm(
    x: Array,
    axes: Array | None = None,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Array | float = 1e-5,
) -> Array:
    """Normalise over some axes, all by default; ``gamma`` and ``beta`` have the sizes of those."""
    chosen = range(x.ndim) if axes is None else (int(axis) % x.ndim for axis in np.atleast_1d(axes))
    along = tuple(sorted(chosen))
    shape = tuple(size if axis in along else 1 for axis, size in enumerate(x.shape))
    return _by_own_numbers(x, along, gamma, beta, epsilon, shape)


def _by_own_numbers(
    x: Array,
    axes: tuple[int, ...],
    gamma: Array | None,
    beta: Array | None,
    epsilon: Array | float,
    shape: tuple[int, ...],
) -> Array:
    """Normalise over ``axes``, then scale and shift by numbers reshaped to ``shape``."""
    centred = x - x.mean(axis=axes, keepdims=True)
    normalised = centred / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + epsilon)
    normalised = normalised if gamma is None else normalised * gamma.reshape(shape)
    return np.asarray(normalised if beta is None else normalised + beta.reshape(shape))


def l2_norm(x: Array, epsilon: Array | float = 1e-6) -> Array:
    """Divide by the Euclidean length over the last three axes."""
    return np.asarray(x / np.sqrt(np.square(x).sum(axis=(-3, -2, -1), keepdims=True) + epsilon))


OPERATIONS = {
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "l2_norm": l2_norm,
    "layer_norm": layer_norm,
}
