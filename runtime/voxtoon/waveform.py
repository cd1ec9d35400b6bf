"""The front end of systems that hear the waveform itself, a whole window at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_chunk
from .errors import InputError
from .front_end_spec import FrontEndSpec

_FULL_SCALE_16_BIT = 32768


class Waveform:
    """Turns a window of samples into as many frames of one sample: peak to 1, then pre-emphasis.

    Parameters
    ----------
    spec
        Of kind ``waveform``.

    Notes
    -----
    With ``division`` ``float``, ``x = samples / max |samples|``. With ``py2_floor`` the same in whole
    numbers, rounded down, as the first program of Wav2Pix did by the rules of Python 2: negative samples
    become -1, the peak 1 if it is positive, and all others 0. Then ``y[n] = x[n] - pre_emphasis x[n - 1]``.

    The peak is the whole window's: this works on windows of exactly ``clip_samples`` and not on a stream.
    `voxtoon.listener.Listener` cuts a stream into windows, the same ones however it comes in.
    """

    def __init__(self, spec: FrontEndSpec) -> None:
        if spec.kind != "waveform":
            raise InputError("kind of a front end for waveforms", got=spec.kind, expected="waveform")
        self.spec = spec

    def frames(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The frames of one window.

        Parameters
        ----------
        samples
            Mono floating-point, ``spec.clip_samples`` of them.

        Returns
        -------
        float32 [clip_samples, 1]
            Of silence, zeros.

        Raises
        ------
        InputError
            If the samples are not one-dimensional, not floating-point or not finite, or not one window.
        """
        window = check_chunk(samples).astype(np.float64)
        if len(window) != self.spec.clip_samples:
            raise InputError("samples of a window", got=len(window), expected=self.spec.clip_samples)
        normal = self._normalised(window / self.spec.input_scale)
        normal[1:] -= (self.spec.pre_emphasis or 0.0) * normal[:-1]
        return normal.astype(np.float32)[:, np.newaxis]

    def _normalised(self, window: NDArray[np.float64]) -> NDArray[np.float64]:
        in_whole_numbers = self.spec.division == "py2_floor"
        if in_whole_numbers:  # what is below half a step of 16 bits was a zero there, and not negative
            window = np.rint(window * _FULL_SCALE_16_BIT)
        peak = np.abs(window).max()
        if peak == 0:
            return window
        normal: NDArray[np.float64] = window / peak
        return np.floor(normal) if in_whole_numbers else normal
