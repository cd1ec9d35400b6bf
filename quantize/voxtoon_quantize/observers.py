"""From the values a tensor took to the range that eight bits are spread over: four rules, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

from .histogram import Histogram

LEVELS: Final = 256
# Shares of either end that the searching rules try.
_SHRINKS: Final = np.linspace(1.0, 0.1, 91)

Range = tuple[float, float]


class Observer(Protocol):
    """A rule; values outside of the range it gives will be clipped to it."""

    def range(self, seen: Histogram, *, squashed: bool = False) -> Range:
        """Return the lowest and the highest value, zero among them, since zero must be represented exactly.

        Parameters
        ----------
        squashed
            Nothing but a sigmoid reads the tensor: errors count as they are after that, where they are small
            for large values. A white background is thousands of such.
        """


@dataclass(frozen=True)
class MinMax:
    """Every value seen fits: no clipping, and steps as coarse as the largest outlier makes them."""

    def range(self, seen: Histogram, *, squashed: bool = False) -> Range:
        """As `Observer.range`."""
        return _full(seen)


@dataclass(frozen=True)
class Percentile:
    """All but the outermost values fit: ``percent`` of them on either side."""

    percent: float = 99.99

    def __post_init__(self) -> None:
        if not 50.0 < self.percent <= 100.0:
            raise CheckError("percentile", got=self.percent, expected="above 50, at most 100")

    def range(self, seen: Histogram, *, squashed: bool = False) -> Range:
        """As `Observer.range`."""
        low, high = _full(seen)
        share = np.cumsum(seen.counts) / seen.counts.sum()
        edges = seen.centres + seen.width / 2.0
        top = float(edges[np.searchsorted(share, self.percent / 100.0)])
        bottom = float(edges[np.searchsorted(share, 1.0 - self.percent / 100.0, side="right")] - seen.width)
        return min(0.0, max(low, bottom)), max(0.0, min(high, top))


@dataclass(frozen=True)
class MeanSquaredError:
    """The range with the least squared error of rounding and clipping together."""

    def range(self, seen: Histogram, *, squashed: bool = False) -> Range:
        """As `Observer.range`."""
        low, high = _full(seen)
        filled = seen.counts > 0
        values, counts = seen.centres[filled], seen.counts[filled]
        read = _sigmoid if squashed else np.asarray
        wanted = read(values)

        def error(low: float, high: float) -> float:
            return float(counts @ (read(_rounded(values, low, high)) - wanted) ** 2)

        return _least(error, low, high)


@dataclass(frozen=True)
class Entropy:
    """The range whose 256 levels lose the least information (Kullback-Leibler divergence) on the counts."""

    def range(self, seen: Histogram, *, squashed: bool = False) -> Range:
        """As `Observer.range`."""
        return _least(partial(_divergence, seen), *_full(seen))


OBSERVERS: Final[Mapping[str, Observer]] = {
    "minmax": MinMax(),
    "percentile": Percentile(),
    "mse": MeanSquaredError(),
    "entropy": Entropy(),
}


def _full(seen: Histogram) -> Range:
    if not seen.counts.any():
        raise CheckError("a tensor was never seen: it has no range", hint="calibrate on some audio")
    return min(0.0, seen.minimum), max(0.0, seen.maximum)


def _least(loss: Callable[[float, float], float], low: float, high: float) -> Range:
    """Shrink either end as far as it helps, the farther one first."""
    if high >= -low:
        high = float(min(_SHRINKS * high, key=lambda end: loss(low, end)))
        return float(min(_SHRINKS * low, key=lambda end: loss(end, high))), high
    low = float(min(_SHRINKS * low, key=lambda end: loss(end, high)))
    return low, float(min(_SHRINKS * high, key=lambda end: loss(low, end)))


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def _rounded(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    step = (high - low) / (LEVELS - 1)
    if step == 0.0:
        return np.zeros_like(values)
    rounded: NDArray[np.float64] = np.round(np.clip(values, low, high) / step) * step
    return rounded


def _divergence(seen: Histogram, low: float, high: float) -> float:
    """KL divergence of the clipped counts from what is left of them on `LEVELS` levels."""
    inside = (seen.centres >= low) & (seen.centres <= high)
    # Zero is exact whatever the range; after a ReLU it would outweigh all that is not.
    all_counts = np.where(seen.centres == 0.5 * seen.width, 0, seen.counts).astype(np.float64)
    counts = all_counts[inside]
    if len(counts) < LEVELS:  # finer than the histogram can tell
        return float("inf") if high > low else 0.0
    clipped = counts.copy()
    clipped[0] += all_counts[seen.centres < low].sum()
    clipped[-1] += all_counts[seen.centres > high].sum()
    level = np.arange(len(counts)) * LEVELS // len(counts)
    filled = counts > 0
    per_level = np.bincount(level, counts, LEVELS) / np.maximum(np.bincount(level, filled, LEVELS), 1)
    merged = np.where(filled, per_level[level], 0.0)
    p, q = clipped / max(clipped.sum(), 1.0), merged / max(merged.sum(), 1.0)
    # Clipped values land where there may have been none: such a bin is given next to no probability.
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / np.maximum(q[p > 0], 1e-9))))
