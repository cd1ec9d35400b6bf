"""How alike two pictures are: peak signal-to-noise ratio, and structural similarity."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.agreement import PSNR_CEILING_DB

Picture = NDArray[np.floating]

_WINDOW_PX: Final = 11
_SIGMA_PX: Final = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr_db(reference: Picture, picture: Picture) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in dB; 300 for equal ones."""
    error = float(np.mean((np.asarray(picture, np.float64) - reference) ** 2))
    return min(PSNR_CEILING_DB, -10.0 * np.log10(error)) if error else PSNR_CEILING_DB


def ssim(reference: Picture, picture: Picture) -> float:
    """Mean structural similarity of pictures ``[H, W, C]`` in [0, 1], over all places and channels.

    Wang et al. (2004): Gaussian windows of 11 x 11 pixels and a deviation of 1.5, inside the picture only.
    """
    x, y = (np.asarray(array, np.float64) for array in (reference, picture))
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return float(np.mean(luminance * structure))


def _blurred(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = np.arange(_WINDOW_PX) - _WINDOW_PX // 2
    window = np.exp(-0.5 * (distance / _SIGMA_PX) ** 2)
    window /= window.sum()
    rows = sum(weight * picture[k : picture.shape[0] - _WINDOW_PX + 1 + k] for k, weight in enumerate(window))
    columns = sum(
        weight * rows[:, k : picture.shape[1] - _WINDOW_PX + 1 + k] for k, weight in enumerate(window)
    )
    return np.asarray(columns, np.float64)
