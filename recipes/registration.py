"""Textures registered to the mean shape: the runtime's warp with its two shapes exchanged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxtoon.warp import warp


def register(
    pictures: NDArray[np.uint8], landmarks: NDArray[np.float32], mean_landmarks: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Bring each face to the mean shape.

    Parameters
    ----------
    pictures
        [n, 224, 224, 3].
    landmarks
        Of each picture, [n, 68, 2] in pixels.
    mean_landmarks
        [68, 2] in pixels.

    Returns
    -------
    uint8 [n, 224, 224, 3]
        Rounded to the pictures' own steps, which keeps all of them in little memory.
    """
    registered = np.empty_like(pictures)
    for row, (picture, points) in enumerate(zip(pictures, landmarks, strict=True)):
        texture = warp(picture.astype(np.float32), mean_landmarks, points)
        registered[row] = np.clip(np.rint(texture), 0, 255).astype(np.uint8)
    return registered
