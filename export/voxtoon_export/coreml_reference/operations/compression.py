"""Weights that are stored small: affine, palettised, block by block, and sparse.

Computed here from the definition of each operation, not by the code that coremltools packs them with.
"""

from __future__ import annotations

import numpy as np

from voxtoon.errors import CheckError

from ..program import Array
from .quantisation import dequantize
from .windows import integers


def affine(quantized_data: Array, zero_point: Array, scale: Array, axis: Array) -> Array:
    """``scale * (data - zero_point)``, each one number or one per element of an axis."""
    return dequantize(quantized_data, scale, zero_point, axis)


def blockwise_shift_scale(data: Array, scale: Array, offset: Array | None = None) -> Array:
    """``scale * (data - offset)``, each one number per block of elements."""
    shifted = data.astype(np.float32)
    if offset is not None:
        shifted = shifted - _spread(offset, data.shape).astype(np.float32)
    return np.asarray(_spread(scale, data.shape) * shifted)


def lut_to_dense(
    indices: Array, lut: Array, shape: Array | None = None, vector_axis: Array | None = None
) -> Array:
    """Look every index up in a palette.

    With ``shape`` (iOS 16) the indices are packed bits and there is one palette, ``[palette]``. Without it
    (iOS 18) they have the shape of the result, or of its vectors, and the palettes are
    ``[..., palette, vector]``, one per block of indices.
    """
    if shape is not None:
        sizes = integers(shape)
        return lut[_unpacked(indices, int(lut.size).bit_length() - 1, int(np.prod(sizes)))].reshape(sizes)
    palettes = _spread_axes(lut, indices.shape)
    looked_up = np.take_along_axis(palettes, indices[..., None, None].astype(np.int64), axis=-2)[..., 0, :]
    if lut.shape[-1] == 1:
        return np.asarray(looked_up[..., 0])
    if vector_axis is None:
        raise CheckError("vectors without an axis", got=lut.shape[-1])
    place = int(vector_axis) % indices.ndim
    moved = np.moveaxis(looked_up, -1, place + 1)
    return moved.reshape(*indices.shape[:place], -1, *indices.shape[place + 1 :])


def sparse_to_dense(nonzero_data: Array, mask: Array, shape: Array | None = None) -> Array:
    """Values where the mask is set, zeros elsewhere; with ``shape`` (iOS 16) the mask is packed bits."""
    if shape is not None:
        sizes = integers(shape)
        mask = _unpacked(mask, 1, int(np.prod(sizes))).reshape(sizes)
    dense = np.zeros(mask.shape, nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def sparse_blockwise_shift_scale(
    data_mask: Array, nonzero_data: Array, scale: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    """As `blockwise_shift_scale`, of the values that a mask leaves; they stay sparse."""
    dense = blockwise_shift_scale(sparse_to_dense(nonzero_data, data_mask), scale, offset)
    return data_mask, dense[data_mask != 0]


def lut_to_sparse(
    indices_mask: Array, indices_nonzero_data: Array, lut: Array, vector_axis: Array | None = None
) -> tuple[Array, Array]:
    """As `lut_to_dense`, of the indices that a mask leaves; they stay sparse."""
    dense = lut_to_dense(sparse_to_dense(indices_nonzero_data, indices_mask), lut, None, vector_axis)
    mask = indices_mask
    if lut.shape[-1] > 1 and vector_axis is not None:
        mask = np.repeat(mask, lut.shape[-1], axis=int(vector_axis))
    return mask, dense[mask != 0]


def cast(source_val: Array, output_dtype: str) -> Array:
    """Another width of numbers."""
    return source_val


def _unpacked(packed: Array, bits: int, count: int) -> Array:
    """Numbers of a few bits each, the lowest bit of each and of each byte first."""
    stream = np.unpackbits(packed.view(np.uint8), bitorder="little")[: bits * count]
    return np.asarray(stream.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits)))


def _spread(values: Array, shape: tuple[int, ...]) -> Array:
    """Repeat the number of each block over the block."""
    return _spread_axes(values[..., None, None], shape)[..., 0, 0]


def _spread_axes(values: Array, shape: tuple[int, ...]) -> Array:
    """Repeat over the blocks along all axes but the last two."""
    for axis, (blocks, size) in enumerate(zip(values.shape, shape, strict=False)):
        if size % blocks:
            raise CheckError("blocks do not divide an axis", got=blocks, expected=f"a divisor of {size}")
        values = np.repeat(values, size // blocks, axis)
    return values


OPERATIONS = {
    "constexpr_affine_dequantize": affine,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_lut_to_sparse": lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": sparse_to_dense,
}
