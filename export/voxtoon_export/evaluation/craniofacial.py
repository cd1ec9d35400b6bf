"""The paper's craniofacial measures, on 68 landmarks in iBUG order.

The paper takes its list from Farkas' anthropometry of the face; these are the nearest that 68 points have:
nasion 27, subnasale 33, alare 31 and 35, subalare 32 and 34, inner eye corners 39 and 42, outer eye corners
36 and 45, mouth corners 48 and 54, labiale superius 51, crista philtri 50 and 52, labiale inferius 57,
stomion the middle of 62 and 66, gnathion 8, gonion 4 and 12, zygion 1 and 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxtoon_export.evaluation.figures import pearson

Array = NDArray[np.float64]
Measure = Callable[[Array], Array]


def _length(start: int, end: int) -> Measure:
    """Distance between two landmarks, in pixels of the face."""
    return lambda points: np.linalg.norm(points[..., end, :] - points[..., start, :], axis=-1)


def _stomion(points: Array) -> Array:
    """Where the lips meet: the middle between the inner edges of both."""
    return 0.5 * (points[..., 62, :] + points[..., 66, :])


def _to_stomion(start: int) -> Measure:
    """Distance from a landmark to the meeting of the lips."""
    return lambda points: np.linalg.norm(_stomion(points) - points[..., start, :], axis=-1)


def _mean(first: Measure, second: Measure) -> Measure:
    return lambda points: 0.5 * (first(points) + second(points))


def _ratio(part: Measure, whole: Measure) -> Measure:
    return lambda points: part(points) / whole(points)


def _triangle(first: int, second: int, third: int) -> Measure:
    """Area between three landmarks, in square pixels."""

    def area(points: Array) -> Array:
        a = points[..., second, :] - points[..., first, :]
        b = points[..., third, :] - points[..., first, :]
        twice: Array = np.abs(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
        return 0.5 * twice

    return area


_JAW_WIDTH = _length(4, 12)
_NOSE_HEIGHT = _length(27, 33)
_NOSE_WIDTH = _length(31, 35)
_MOUTH_WIDTH = _length(48, 54)

# In the order of the paper's table. Each takes landmarks [..., 68, 2] to numbers [...].
MEASURES: Mapping[str, Measure] = {
    "upper lip height": _to_stomion(33),
    "lateral upper lip heights": _mean(_length(32, 50), _length(34, 52)),
    "jaw width": _JAW_WIDTH,
    "nose height": _NOSE_HEIGHT,
    "nose width": _NOSE_WIDTH,
    "labio-oral region": _MOUTH_WIDTH,
    "mandibular index": _ratio(_to_stomion(8), _JAW_WIDTH),
    "intercanthal index": _ratio(_length(39, 42), _length(36, 45)),
    "nasal index": _ratio(_NOSE_WIDTH, _NOSE_HEIGHT),
    "vermilion height index": _ratio(_to_stomion(51), _to_stomion(57)),
    "mouth-face width index": _ratio(_MOUTH_WIDTH, _length(1, 15)),
    "nose area": _triangle(27, 31, 35),
}


def correlations(first: ArrayLike, second: ArrayLike) -> dict[str, float]:
    """Pearson's r of every measure between two sets of landmarks ``[N, 68, 2]``, clip by clip."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    return {name: pearson(measure(a), measure(b)) for name, measure in MEASURES.items()}
