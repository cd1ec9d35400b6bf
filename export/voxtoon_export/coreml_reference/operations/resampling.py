"""Images made larger or smaller, along the last two axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array

_Grid = Callable[[int, int], Array]
"""From the old and the new size of an axis to where each new element lies on the old ones."""


def _corners(size: int, target: int) -> Array:
    return np.linspace(0, size - 1, target) if target > 1 else np.zeros(1)


def _corners_or_centre(size: int, target: int) -> Array:
    return _corners(size, target) if target > 1 else np.array([(size - 1) / 2])


def _centres(size: int, target: int) -> Array:
    return np.asarray((np.arange(target) + 0.5) * size / target - 0.5)


def _left_edges(size: int, target: int) -> Array:
    return np.asarray(np.arange(target) * size / target)


_GRIDS: dict[str, _Grid] = {
    "STRICT_ALIGN_CORNERS": _corners,
    "ALIGN_CORNERS": _corners_or_centre,
    "UNALIGN_CORNERS": _centres,
    "DEFAULT": _left_edges,
}


def resize_bilinear(
    x: Array, target_size_height: Array | int, target_size_width: Array | int, sampling_mode: str = "DEFAULT"
) -> Array:
    """To a size, each element between its two neighbours along either axis."""
    if sampling_mode not in _GRIDS:
        raise CheckError("unknown sampling mode", got=sampling_mode, expected=", ".join(_GRIDS))
    grid = _GRIDS[sampling_mode]
    return _between(_between(x, int(target_size_height), -2, grid), int(target_size_width), -1, grid)


def upsample_bilinear(
    x: Array,
    scale_factor_height: Array | float = 1,
    scale_factor_width: Array | float = 1,
    align_corners: Array | bool = True,
    half_pixel_centers: Array | bool | None = None,
) -> Array:
    """By a factor; the corners stay, or the centres of the elements do."""
    centres = not bool(align_corners) if half_pixel_centers is None else bool(half_pixel_centers)
    if centres and bool(align_corners):
        raise CheckError("align_corners and half_pixel_centers at once")
    mode = "UNALIGN_CORNERS" if centres else "STRICT_ALIGN_CORNERS" if bool(align_corners) else "DEFAULT"
    height, width = _scaled(x, scale_factor_height, scale_factor_width)
    return resize_bilinear(x, height, width, mode)


def resize_nearest_neighbor(
    x: Array, target_size_height: Array | int, target_size_width: Array | int
) -> Array:
    """To a size, each element the one that its left edge is in."""
    rows, columns = (
        np.floor(_left_edges(size, int(target))).astype(int)
        for size, target in zip(x.shape[-2:], (target_size_height, target_size_width), strict=True)
    )
    return x[..., rows, :][..., columns]


def upsample_nearest_neighbor(
    x: Array, scale_factor_height: Array | float = 1, scale_factor_width: Array | float = 1
) -> Array:
    """By a factor, each element repeated."""
    return resize_nearest_neighbor(x, *_scaled(x, scale_factor_height, scale_factor_width))


def _scaled(x: Array, height_factor: Array | float, width_factor: Array | float) -> tuple[int, int]:
    height, width = x.shape[-2:]
    return int(height * float(height_factor)), int(width * float(width_factor))


def _between(x: Array, target: int, axis: int, grid: _Grid) -> Array:
    size = x.shape[axis]
    places = np.clip(grid(size, target), 0, size - 1)
    lower = np.floor(places).astype(int)
    shape = [-1 if place == x.ndim + axis else 1 for place in range(x.ndim)]
    share = (places - lower).astype(np.float32).reshape(shape)
    upper = np.minimum(lower + 1, size - 1)
    return np.asarray(x.take(lower, axis) * (1 - share) + x.take(upper, axis) * share)


OPERATIONS = {
    "resize_bilinear": resize_bilinear,
    "resize_nearest_neighbor": resize_nearest_neighbor,
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
