"""The same numbers in another shape or order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..program import Array
from .windows import integers


def reshape(x: Array, shape: Array) -> Array:
    """Another shape; a 0 keeps the size of its axis, and one -1 takes what is left."""
    wanted = integers(shape)
    keeps = len(wanted) == x.ndim
    return x.reshape([x.shape[axis] if size == 0 and keeps else size for axis, size in enumerate(wanted)])


def squeeze(x: Array, axes: Array | None = None) -> Array:
    """Without axes of size 1: those named, or all."""
    return np.squeeze(x, None if axes is None else tuple(integers(axes)))


def flatten2d(x: Array, axis: Array | int = 1) -> Array:
    """A matrix: the axes before ``axis``, and the others."""
    return x.reshape(math.prod(x.shape[: int(axis)]), -1)


def concat(values: tuple[Array, ...], axis: Array | int, interleave: Array | bool = False) -> Array:
    """One after the other along an axis, or taking turns."""
    if not bool(interleave):
        return np.concatenate(values, axis=int(axis))
    place = int(axis) % values[0].ndim
    stacked = np.stack(values, axis=place + 1)
    shape = (*stacked.shape[:place], -1, *stacked.shape[place + 2 :])
    return stacked.reshape(shape)


def split(
    x: Array, axis: Array | int, num_splits: Array | None = None, split_sizes: Array | None = None
) -> tuple[Array, ...]:
    """Pieces along an axis: of the sizes told, or as many of the same size."""
    if split_sizes is not None:
        return tuple(np.split(x, np.cumsum(split_sizes)[:-1], axis=int(axis)))
    return tuple(np.split(x, 1 if num_splits is None else int(num_splits), axis=int(axis)))


def depth_to_space(x: Array, block_size: Array | int) -> Array:
    """Channels to blocks of pixels, the block's position changing more slowly than the channel."""
    (batch, channels, height, width), block = x.shape, int(block_size)
    blocks = x.reshape(batch, block, block, channels // block**2, height, width)
    return blocks.transpose(0, 3, 4, 1, 5, 2).reshape(batch, -1, height * block, width * block)


def space_to_depth(x: Array, block_size: Array | int) -> Array:
    """Undo `depth_to_space`."""
    (batch, channels, height, width), block = x.shape, int(block_size)
    blocks = x.reshape(batch, channels, height // block, block, width // block, block)
    return blocks.transpose(0, 3, 5, 1, 2, 4).reshape(batch, -1, height // block, width // block)


def pixel_shuffle(x: Array, upscale_factor: Array | int) -> Array:
    """Channels to blocks of pixels, the channel changing more slowly than the block's position."""
    (batch, channels, height, width), block = x.shape, int(upscale_factor)
    blocks = x.reshape(batch, channels // block**2, block, block, height, width)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(batch, -1, height * block, width * block)


def pixel_unshuffle(x: Array, downscale_factor: Array | int) -> Array:
    """Undo `pixel_shuffle`."""
    (batch, channels, height, width), block = x.shape, int(downscale_factor)
    blocks = x.reshape(batch, channels, height // block, block, width // block, block)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(batch, -1, height // block, width // block)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "concat": concat,
    "depth_to_space": depth_to_space,
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(integers(axes))),
    "fill": lambda shape, value=0.0: np.full(integers(shape), value),
    "flatten2d": flatten2d,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape": reshape,
    "reverse": lambda x, axes=None: np.flip(x, None if axes is None else tuple(integers(axes))),
    "shape": lambda x: np.array(x.shape, np.int32),
    "space_to_depth": space_to_depth,
    "split": split,
    "squeeze": squeeze,
    "stack": lambda values, axis: np.stack(values, axis=int(axis)),
    "tile": lambda x, reps: np.tile(x, integers(reps)),
    "transpose": lambda x, perm: np.transpose(x, integers(perm)),
}
