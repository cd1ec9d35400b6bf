"""What is kept of a tensor's values over all clips: counts in equal bins, which widen for larger values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

HALF: Final = 4096  # bins on either side of zero
_SMALLEST_WIDTH: Final = 2.0**-40


class Histogram:
    """Counts of values in bins ``[k, k + 1) * width``, for k from -4096 to 4095.

    The width is a power of two and doubles when a value falls outside: two bins then become one, so that
    the counts are what they would have been with the last width from the start. Memory does not grow.

    Attributes
    ----------
    counts, width
        ``[8192]`` counts, from the lowest bin, and the width of a bin.
    minimum, maximum
        The exact extremes; 0 before any value.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(2 * HALF, np.int64)
        self.width = _SMALLEST_WIDTH
        self.minimum = self.maximum = 0.0

    def add(self, values: NDArray[Any], *, name: str = "tensor") -> None:
        """Count values of any shape.

        Raises
        ------
        CheckError
            One of them is not finite.
        """
        flat = np.asarray(values, np.float64).ravel()  # float32 would lose the sign of the smallest
        if not flat.size:
            return
        low, high = float(flat.min()), float(flat.max())
        if not np.isfinite([low, high]).all():
            raise CheckError(f"{name} has values that are not finite", hint="it cannot be calibrated")
        if self.counts.any():
            self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        else:
            self.minimum, self.maximum = low, high
        while low < -HALF * self.width or high >= HALF * self.width:
            self._widen()
        bins = np.floor(flat / self.width).astype(np.int64) + HALF
        self.counts += np.bincount(bins, minlength=2 * HALF)

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        return np.asarray((np.arange(-HALF, HALF) + 0.5) * self.width, np.float64)

    def _widen(self) -> None:
        pairs = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.pad(pairs, HALF // 2)
        self.width *= 2.0
