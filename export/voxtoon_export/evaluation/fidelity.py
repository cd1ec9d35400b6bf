"""How close the drawn faces come to the published ones, in pixels and along their main directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxtoon_export.evaluation.figures import pearson

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PrincipalComponents:
    """The directions in which a set of faces varies most.

    Attributes
    ----------
    mean : numpy.ndarray
        ``[P]``, the mean face with its pixels in one row.
    axes : numpy.ndarray
        ``[K, P]``, orthonormal, the direction of largest variance first.
    shares : numpy.ndarray
        ``[K]``, share of the total variance along each axis.
    """

    mean: Array
    axes: Array
    shares: Array

    def project(self, faces: ArrayLike) -> Array:
        """Coordinates of faces ``[N, ...]`` along the axes: ``[N, K]``."""
        rows = np.asarray(faces, dtype=np.float64)
        coordinates: Array = (rows.reshape(len(rows), -1) - self.mean) @ self.axes.T
        return coordinates


def fit_components(faces: ArrayLike, *, count: int) -> PrincipalComponents:
    """Find the main directions of a set of faces, by the Gram matrix of the clips (fewer than the pixels).

    Parameters
    ----------
    faces : array_like
        ``[N, ...]``, one face per row; more faces than `count`.
    count : int
        Number of directions.

    Returns
    -------
    PrincipalComponents
        Fitted on these faces.
    """
    rows = np.asarray(faces, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors = np.linalg.eigh(centred @ centred.T)
    largest = np.argsort(values)[::-1][:count]
    axes = vectors[:, largest].T @ centred
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return PrincipalComponents(mean=mean, axes=axes, shares=values[largest] / values.sum())


def component_correlations(components: PrincipalComponents, predicted: ArrayLike, truth: ArrayLike) -> Array:
    """Pearson's r between predicted and true faces along each component: ``[K]``."""
    guessed = components.project(predicted)
    wanted = components.project(truth)
    return np.array([pearson(guessed[:, k], wanted[:, k]) for k in range(wanted.shape[1])])
