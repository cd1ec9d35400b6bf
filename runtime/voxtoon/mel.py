"""Mel bands of a power spectrum, summed in a fixed order so that a frame never depends on its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .work_rows import WorkRows


def hz_to_mel(frequency_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Mel of a frequency: 2595 log10(1 + f / 700), O'Shaughnessy's formula as HTK uses it."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(frequency_hz, np.float64) / 700.0))


def mel_to_hz(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Frequency of a mel value: the inverse of `hz_to_mel`."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0))


def mel_filters(
    *, bins: int, low_hz: float, high_hz: float, sample_rate_hz: int, fft_samples: int
) -> NDArray[np.float64]:
    """Triangular filters with edges equally spaced in mel, straight in hertz, each with its peak at 1.

    Parameters
    ----------
    bins
        Number of filters.
    low_hz, high_hz
        Lower edge of the first filter and upper edge of the last.
    sample_rate_hz, fft_samples
        Of the spectrum the filters are for.

    Returns
    -------
    float64 [fft_samples // 2 + 1, bins]

    Raises
    ------
    InputError
        If a filter is so narrow that no spectral bin falls into it.
    """
    edges_hz = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bins + 2))
    bins_hz = np.arange(fft_samples // 2 + 1)[:, np.newaxis] * (sample_rate_hz / fft_samples)
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    empty = int((~filters.any(axis=0)).sum())
    if empty:
        raise InputError(
            f"{empty} of {bins} mel filters between {low_hz} and {high_hz} Hz hold no spectral bin",
            hint="ask for fewer mel bins or a longer FFT",
        )
    return filters


class MelBands:
    """The product of power spectra with mel filters, over the filters' non-zero weights only.

    A matrix product would leave the order of summation to the BLAS library, which chooses it by the number of
    frames; here every frame is summed alike, so frames are bitwise the same however they are grouped.

    Parameters
    ----------
    filters
        float64 [spectrum, bins], each column with at least one non-zero weight.
    rows
        The largest number of frames that will be given at once.
    """

    def __init__(self, filters: NDArray[np.float64], *, rows: int) -> None:
        self.bins = filters.shape[1]
        band, self._spectral_bin = np.nonzero(filters.T)
        self._weight = filters.T[band, self._spectral_bin]
        self._start = np.searchsorted(band, np.arange(self.bins))
        self._rows = WorkRows(np.empty((rows, len(band)), np.float64))

    def __call__(self, power: NDArray[np.float64], *, out: NDArray[np.float64]) -> None:
        """Write the bands of ``power``, float64 [n, spectrum], into ``out``, float64 [n, bins]."""
        (weighted,) = self._rows[len(power)]
        np.take(power, self._spectral_bin, axis=1, out=weighted, mode="wrap")
        np.multiply(weighted, self._weight, out=weighted)
        np.add.reduceat(weighted, self._start, axis=1, out=out)
