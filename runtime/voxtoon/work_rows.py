"""Work buffers, used from the first row on; slicing them for a few rows costs as much as computing those."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class WorkRows(dict[int, tuple[NDArray[Any], ...]]):
    """``rows[n]``: views of the first ``n`` rows of each buffer, made once for each ``n``.

    Parameters
    ----------
    buffers
        Arrays with one row for each row of the largest block of work.
    """

    def __init__(self, *buffers: NDArray[Any]) -> None:
        super().__init__()
        self._buffers = buffers

    def __missing__(self, count: int) -> tuple[NDArray[Any], ...]:
        self[count] = views = tuple(buffer[:count] for buffer in self._buffers)
        return views
