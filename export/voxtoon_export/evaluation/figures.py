"""The figures that several tables share: R2, Pearson's r, angles, and fair shuffles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def r2(predicted: ArrayLike, truth: ArrayLike, baseline: ArrayLike) -> float:
    """Share of the squared distance from a baseline that a prediction removes, pooled over everything.

    Parameters
    ----------
    predicted, truth : array_like
        Arrays of one shape, the first axis counting clips.
    baseline : array_like
        What to be compared with; broadcast against `truth`. For faces: the mean of the training faces.

    Returns
    -------
    float
        1 where the prediction is the truth, 0 where it is the baseline, negative where it is worse.
    """
    truth = np.asarray(truth, dtype=np.float64)
    missed = np.sum((np.asarray(predicted, dtype=np.float64) - truth) ** 2)
    to_explain = np.sum((np.asarray(baseline, dtype=np.float64) - truth) ** 2)
    return float(1.0 - missed / to_explain)


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Pearson's correlation of two rows of numbers; 0 where either does not vary."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt(np.sum(a**2) * np.sum(b**2))
    negligible = 1e-12 * (1.0 + np.abs(np.asarray(first)).max() * np.abs(np.asarray(second)).max())
    return float(np.sum(a * b) / size) if size > negligible else 0.0


def angles_deg(first: ArrayLike, second: ArrayLike) -> Array:
    """Angle between the vectors of the last axis, in degrees; NaN where one of them is zero."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    size = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.sum(a * b, axis=-1) / np.where(size > 0.0, size, np.nan)
    angles: Array = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angles


def shuffled_orders(speakers: Sequence[str], *, count: int, seed: int) -> list[NDArray[np.int64]]:
    """Give every clip the voice of another speaker: the level of a voice that tells nothing.

    Parameters
    ----------
    speakers : sequence of str
        The speaker of each clip.
    count : int
        Number of orders, to average over.
    seed : int
        Decides the orders.

    Returns
    -------
    list of numpy.ndarray
        Index arrays ``[clips]``; no clip meets its own speaker as long as anyone else is there.
    """
    rng = np.random.default_rng(seed)
    names = np.asarray(speakers)
    others = [np.flatnonzero(names != name) for name in names]
    everyone = np.arange(len(names))
    return [
        np.array([rng.choice(other if other.size else everyone) for other in others], dtype=np.int64)
        for _ in range(count)
    ]
