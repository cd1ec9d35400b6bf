"""The last step of the face decoder: move the texture from the mean shape to the predicted landmarks.

A linear polyharmonic spline, as in Cole et al. (CVPR 2017). It stays in numpy because 76 centres and one
79 x 79 solve are milliseconds here and an awkward graph in every model format.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxtoon.errors import InputError

_ROWS_PER_BLOCK = (
    16  # 16 rows x 224 columns x 76 centres of float32 distances are 1 MB: they stay in the cache
)


def warp(
    texture: NDArray[np.floating],
    landmarks: ArrayLike,
    mean_landmarks: ArrayLike,
    *,
    regularisation: float = 0.1,
    boundary_points_per_edge: int = 1,
) -> NDArray[np.float32]:
    """Draw a texture that is registered to the mean shape with its landmarks elsewhere.

    The inverse, registering a face to the mean shape, is the same call with the two shapes exchanged.

    Parameters
    ----------
    texture : NDArray [shape=(H, W, C)]
        Image registered to `mean_landmarks`.
    landmarks, mean_landmarks : array_like [shape=(N, 2)]
        (x, y) in pixels, pixel centres on whole numbers: where the landmarks are to be, and where they are.
    regularisation : float
        Smoothing of the spline, see `flow`.
    boundary_points_per_edge : int
        Points that do not move, between the corners of each image edge; the corners never move.

    Returns
    -------
    NDArray[np.float32] [shape=(H, W, C)]
        ``out(p) = texture(p - flow(p))``, bilinear, coordinates clamped to the image.

    Raises
    ------
    InputError
        When an array has another shape or a landmark is not finite.
    """
    texture = np.asarray(texture, dtype=np.float32)
    if texture.ndim != 3:
        raise InputError("a texture has three axes", got=texture.shape, expected="(height, width, channels)")
    height_px, width_px, _ = texture.shape
    moved = flow(
        landmarks,
        mean_landmarks,
        height_px=height_px,
        width_px=width_px,
        regularisation=regularisation,
        boundary_points_per_edge=boundary_points_per_edge,
    )
    x = np.arange(width_px, dtype=np.float32)[None, :] - moved[..., 0]
    y = np.arange(height_px, dtype=np.float32)[:, None] - moved[..., 1]
    return _sample_bilinear(texture, x, y)


def flow(
    landmarks: ArrayLike,
    mean_landmarks: ArrayLike,
    *,
    height_px: int,
    width_px: int,
    regularisation: float = 0.1,
    boundary_points_per_edge: int = 1,
) -> NDArray[np.float32]:
    """Displacement of every pixel: ``sum_i w_i phi(|p - c_i|) + v . p + b``, x and y fitted independently.

    The centres are the destination landmarks and the boundary points. The kernel is phi(r) = -r: with this
    sign it is conditionally positive definite, so `regularisation` on the diagonal smooths at any spacing.
    The usual +r with +0.1 agrees within 0.2 px for landmarks some pixels apart, but is singular where two
    are 0.1 px apart, which the lips of a closed mouth can be.

    Parameters
    ----------
    landmarks, mean_landmarks : array_like [shape=(N, 2)]
        (x, y) in pixels, see `warp`.
    height_px, width_px : int
        Size of the image.
    regularisation : float
        Added to the diagonal of the kernel matrix, above 0: the smaller, the closer to interpolation.
    boundary_points_per_edge : int
        Points with zero displacement between two corners.

    Returns
    -------
    NDArray[np.float32] [shape=(height_px, width_px, 2)]
        (dx, dy) in pixels.

    Raises
    ------
    InputError
        When the shapes differ, a landmark is not finite or `regularisation` is not above 0.
    """
    destination = np.asarray(landmarks, dtype=np.float64)
    source = np.asarray(mean_landmarks, dtype=np.float64)
    if destination.ndim != 2 or destination.shape[1] != 2 or destination.shape != source.shape:
        raise InputError(
            "the two sets of landmarks do not fit",
            got=f"{destination.shape} and {source.shape}",
            expected="twice (points, 2)",
        )
    if not (np.isfinite(destination).all() and np.isfinite(source).all()):
        raise InputError("a landmark is not finite", hint="check the decoder of the bundle: voxtoon verify")
    if not regularisation > 0:
        raise InputError("regularisation", got=regularisation, expected="above 0")

    boundary = _boundary_points(height_px, width_px, boundary_points_per_edge)
    centres = np.concatenate([destination, boundary])
    displacement = np.concatenate([destination - source, np.zeros_like(boundary)])
    weights, affine = _solve(centres, displacement, regularisation)
    return _evaluate(centres, weights, affine, height_px, width_px)


def _boundary_points(height_px: int, width_px: int, points_per_edge: int) -> NDArray[np.float64]:
    x = np.linspace(0, width_px - 1, points_per_edge + 2)
    y = np.linspace(0, height_px - 1, points_per_edge + 2)
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    inside = np.zeros(grid.shape[:2], dtype=bool)
    inside[1:-1, 1:-1] = True
    return grid[~inside]


def _solve(
    centres: NDArray[np.float64], displacement: NDArray[np.float64], regularisation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Solve [[A, B], [B^T, 0]] [w; v] = [d; 0] for both coordinates."""
    count = len(centres)
    kernel = -np.hypot(*(centres[:, None, :] - centres[None, :, :]).transpose(2, 0, 1))
    linear = np.column_stack([centres, np.ones(count)])
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel + regularisation * np.eye(count)
    system[:count, count:] = linear
    system[count:, :count] = linear.T
    solution = np.linalg.solve(system, np.concatenate([displacement, np.zeros((3, 2))]))
    return solution[:count], solution[count:]


def _evaluate(
    centres: NDArray[np.float64],
    weights: NDArray[np.float64],
    affine: NDArray[np.float64],
    height_px: int,
    width_px: int,
) -> NDArray[np.float32]:
    """Evaluate the spline at every pixel, a few rows at a time."""
    x = np.arange(width_px, dtype=np.float64)
    y = np.arange(height_px, dtype=np.float64)
    # |p - c|^2 = dx^2 + dy^2 is a sum of a row's and a column's vector. Float32 keeps it within 1e-3 px.
    dx2 = np.square(x[:, None] - centres[:, 0]).astype(np.float32)
    dy2 = np.square(y[:, None] - centres[:, 1]).astype(np.float32)
    kernel_weights = -weights.astype(np.float32)
    flow_px = np.empty((height_px, width_px, 2), dtype=np.float32)
    for start in range(0, height_px, _ROWS_PER_BLOCK):
        rows = slice(start, min(start + _ROWS_PER_BLOCK, height_px))
        distance = dy2[rows, None, :] + dx2[None, :, :]
        np.sqrt(distance, out=distance)
        flow_px[rows] = distance @ kernel_weights
    flow_px += (x[None, :, None] * affine[0] + y[:, None, None] * affine[1] + affine[2]).astype(np.float32)
    return flow_px


def _sample_bilinear(
    image: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    height_px, width_px, channels = image.shape
    x = np.clip(x, 0, width_px - 1)
    y = np.clip(y, 0, height_px - 1)
    left = np.minimum(x.astype(np.intp), max(width_px - 2, 0))
    top = np.minimum(y.astype(np.intp), max(height_px - 2, 0))
    right_weight = (x - left)[..., None]
    bottom_weight = (y - top)[..., None]
    pixels = image.reshape(-1, channels)
    corner = top * width_px + left
    step_x, step_y = int(width_px > 1), width_px * int(height_px > 1)

    upper: NDArray[np.float32] = pixels[corner]
    upper += (pixels[corner + step_x] - upper) * right_weight
    lower = pixels[corner + step_y]
    lower += (pixels[corner + step_x + step_y] - lower) * right_weight
    upper += (lower - upper) * bottom_weight
    return upper
