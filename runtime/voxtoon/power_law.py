"""``sgn(x) |x|**p`` by a table of lines, one for each value of the top 16 bits of a float32.

The top 16 bits are the sign, the exponent and seven bits of the mantissa. Within such a cell a power is
nearly straight: for ``p = 0.3``, ``y = slope[cell] * x + offset[cell]`` is off by less than one millionth of
``y``. It costs less than the logarithm and exponential inside ``pow``, with or without vector instructions.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .work_rows import WorkRows

_CELLS = 1 << 16
_LOW_BITS = np.uint32(16)
_SUBNORMAL_OR_ZERO = slice(0, 0x0080)
_INFINITE_OR_NAN = slice(0x7F80, 0x8000)


@cache
def power_table(exponent: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The slope and the offset of the line in each of the 65,536 cells.

    The line of a cell is the one with the smallest largest error: parallel to the chord, half way between the
    chord and the tangent. Zeros and subnormal numbers give zero; infinities and NaN pass through.

    Parameters
    ----------
    exponent
        The power ``p``, 0 < p <= 1.

    Returns
    -------
    slope, offset : float32 [65536]
        Read-only, indexed by the top 16 bits of ``x``.
    """
    first, last = _SUBNORMAL_OR_ZERO.stop, _INFINITE_OR_NAN.start
    finite = slice(first, last)
    low = (np.arange(first, last, dtype=np.uint32) << _LOW_BITS).view(np.float32).astype(np.float64)
    high = np.append(low[1:], 2.0**128)  # where the next float32 would be, were it not infinity

    slope = np.zeros(_CELLS // 2, np.float32)
    offset = np.zeros(_CELLS // 2, np.float32)
    slope[finite] = (high**exponent - low**exponent) / (high - low)
    # The offset is fitted to the slope as rounded, so that rounding the slope costs nothing.
    rounded = slope[finite].astype(np.float64)
    touch = low if exponent == 1 else np.clip((rounded / exponent) ** (1 / (exponent - 1)), low, high)
    above = touch**exponent - rounded * touch
    below = np.minimum(low**exponent - rounded * low, high**exponent - rounded * high)
    offset[finite] = (above + below) / 2
    slope[_INFINITE_OR_NAN] = 1.0

    table = np.concatenate([slope, slope]), np.concatenate([offset, -offset])
    for column in table:
        column.setflags(write=False)
    return table


class PowerLaw:
    """``sgn(x) |x|**exponent`` of float32 blocks, without allocating.

    Parameters
    ----------
    exponent
        The power, 0 < exponent <= 1.
    rows, columns
        The largest block that will be given.
    """

    def __init__(self, exponent: float, *, rows: int, columns: int) -> None:
        self._slope, self._offset = power_table(exponent)
        shape = (rows, columns)
        self._rows = WorkRows(
            np.empty(shape, np.uint32), np.empty(shape, np.intp), np.empty(shape, np.float32)
        )

    def __call__(self, x: NDArray[np.float32], *, out: NDArray[np.float32]) -> None:
        """Write the power of ``x`` into ``out``.

        Parameters
        ----------
        x, out
            C-contiguous float32 [n, columns] with n <= rows; they must not overlap.
        """
        top, cell, line = self._rows[len(x)]
        # Two passes over neighbours are faster than one over every other half, and know no byte order.
        np.right_shift(x.view(np.uint32), _LOW_BITS, out=top)
        np.copyto(cell, top)
        # "wrap" never applies to 16-bit cells; it spares numpy the buffered copy of "raise".
        self._slope.take(cell, out=line, mode="wrap")
        np.multiply(line, x, out=line)
        self._offset.take(cell, out=out, mode="wrap")
        np.add(out, line, out=out)
