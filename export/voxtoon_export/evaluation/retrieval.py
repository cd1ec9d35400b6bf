"""Finding a clip's true-face decoding among all of them, by the feature of its voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
RANKS = (1, 2, 5, 10)


def cosine_distances(queries: Array, gallery: Array) -> Array:
    """One minus the cosine, ``[queries, gallery]``; 1 where a vector is zero."""
    return 1.0 - _unit(queries) @ _unit(gallery).T


def l1_distances(queries: Array, gallery: Array) -> Array:
    """Sum of absolute differences, ``[queries, gallery]``."""
    return np.stack([np.abs(gallery - query).sum(axis=1) for query in queries])


def l2_distances(queries: Array, gallery: Array) -> Array:
    """Euclidean distance, ``[queries, gallery]``."""
    return np.stack([np.linalg.norm(gallery - query, axis=1) for query in queries])


METRICS: Mapping[str, Callable[[Array, Array], Array]] = {
    "cosine": cosine_distances,
    "L1": l1_distances,
    "L2": l2_distances,
}


def ranks_at(gallery_size: int) -> dict[str, int]:
    """The columns of the table: R@K of the paper, and R@K% of the gallery, which compares across sizes."""
    absolute = {f"R@{rank}": rank for rank in RANKS}
    relative = {f"R@{rank}%": ceil(gallery_size * rank / 100.0) for rank in RANKS}
    return {**absolute, **relative}


def recall(distances: ArrayLike, rank: int) -> float:
    """Share of queries whose own entry (the diagonal) is among the `rank` nearest.

    Entries at the same distance share their places: a query that cannot tell any apart counts as chance, not
    as a hit by the order of the gallery.

    Parameters
    ----------
    distances : array_like
        ``[N, N]``, row: query, column: gallery entry, own entry on the diagonal.
    rank : int
        How many of the nearest are looked at.

    Returns
    -------
    float
        In [0, 1].
    """
    table = np.asarray(distances, dtype=np.float64)
    own = np.diagonal(table)[:, None]
    nearer = np.sum(table < own, axis=1)
    tied = np.sum(table == own, axis=1)
    return float(np.mean(np.clip((rank - nearer) / tied, 0.0, 1.0)))


def chance(rank: int, gallery_size: int) -> float:
    """Recall of a guess."""
    return min(1.0, rank / gallery_size)


def _unit(vectors: Array) -> Array:
    """Vectors of length one; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0.0, length, 1.0)
