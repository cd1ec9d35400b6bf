"""How much speech a signal holds, and whether it came through a telephone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_chunk

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
NARROWBAND_DB = -55.0
"""Level above 4.2 kHz, relative to the speech band, below which a recording counts as telephone sound.

Of 885 wideband recordings from the web the lowest has -46.7 dB. Of their copies through 8 kHz and back,
rounded to 16 bits, 99 in a hundred lie below the threshold, with mu-law as without; the rest were clipped.
"""

_MEMORY_SHAPE = (2, 1, 128)
_SPEECH_BAND_HZ = (300.0, 3_800.0)
_UPPER_BAND_HZ = (4_200.0, 7_800.0)
# Dithered rounding to 16 bits has three times the power of plain rounding, which is 1/12 of a step squared.
_ROUNDING_POWER = 4 / 12 / 32768**2
# Clicks and clipping fill every band for a moment, speech does so for more than a fifth of the time.
_QUANTILE = 0.8

Run = Callable[[Mapping[str, NDArray[np.float32]]], Mapping[str, NDArray[np.float32]]]


class SpeechDetector:
    """Probability of speech in each window of 512 samples, by the Silero network of a bundle.

    The network sees each window with the 64 samples before it. Without them it runs too, and silently misses
    speech; so they are kept here beside its memory.

    Parameters
    ----------
    run
        Evaluates the network: from ``input`` [1, 576] and ``memory`` [2, 1, 128] to ``output`` [1, 1] and
        ``next_memory`` [2, 1, 128], all float32.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._memory = np.zeros(_MEMORY_SHAPE, np.float32)
        self._pending = np.zeros(CONTEXT_SAMPLES, np.float32)

    def push(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The probabilities of the windows that these samples complete.

        Parameters
        ----------
        samples
            Mono floating-point samples at 16 kHz, any number of them.

        Returns
        -------
        float32 [n], n >= 0
            However a signal is cut into calls, the probabilities together are the same.

        Raises
        ------
        InputError
            If the samples are not one-dimensional, not floating-point or not finite.
        """
        pending = np.concatenate([self._pending, check_chunk(samples)])
        count = (len(pending) - CONTEXT_SAMPLES) // WINDOW_SAMPLES
        probabilities = np.empty(count, np.float32)
        for i in range(count):
            start = i * WINDOW_SAMPLES
            window = pending[np.newaxis, start : start + CONTEXT_SAMPLES + WINDOW_SAMPLES]
            outputs = self._run({"input": window, "memory": self._memory})
            probabilities[i] = outputs["output"].item()
            self._memory = outputs["next_memory"]
        self._pending = pending[count * WINDOW_SAMPLES :].copy()
        return probabilities


def speech_seconds(probabilities: NDArray[np.float32], *, threshold: float = 0.5) -> float:
    """Seconds of speech: the windows whose probability reaches the threshold, 32 ms each."""
    return int(np.count_nonzero(probabilities >= threshold)) * WINDOW_SAMPLES / SAMPLE_RATE_HZ


def is_reached(speech_s: float, limit_s: float) -> bool:
    """Whether speech, which is counted in windows, has reached a limit: at the count that is nearest to it.

    A second is 31 windows, 0.992 s: waiting for the 32nd would be waiting for 24 ms more than was asked for.
    """
    return speech_s + WINDOW_SAMPLES / SAMPLE_RATE_HZ / 2 >= limit_s


def upper_band_db(samples: ArrayLike) -> float:
    """Power between 4.2 and 7.8 kHz relative to that between 0.3 and 3.8 kHz, in decibels.

    In each bin, what is exceeded a fifth of the time counts, so that clicks and clipping do not.

    Parameters
    ----------
    samples
        Mono floating-point samples at 16 kHz.

    Returns
    -------
    float
        What rounding to 16 bits may have added is taken off first, and the result is at least -200. Where the
        speech band holds nothing beyond that, 0: silence tells nothing about the line.
    """
    spectrum = np.maximum(_typical_power(check_chunk(samples)) - _ROUNDING_POWER, 0.0)
    speech, upper = (spectrum[_band(*edges)].sum() for edges in (_SPEECH_BAND_HZ, _UPPER_BAND_HZ))
    return float(10 * np.log10(max(upper / speech, 1e-20))) if speech > 0 else 0.0


def is_narrowband(samples: ArrayLike, *, threshold_db: float = NARROWBAND_DB) -> bool:
    """Whether a 16 kHz signal was sampled at 8 kHz before, as on a telephone line.

    See Also
    --------
    upper_band_db
    """
    return upper_band_db(samples) < threshold_db


def _band(low_hz: float, high_hz: float) -> slice:
    hz_per_bin = SAMPLE_RATE_HZ / WINDOW_SAMPLES
    return slice(round(low_hz / hz_per_bin), round(high_hz / hz_per_bin) + 1)


def _typical_power(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power of each bin that half-overlapping Hann windows exceed a fifth of the time.

    Scaled so that white noise of power 1 has mean 1. A signal shorter than a window is padded with zeros.
    """
    padded = np.pad(samples, (0, max(0, WINDOW_SAMPLES - len(samples)))).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[:: WINDOW_SAMPLES // 2]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2 / np.sum(hann**2)
    return np.asarray(np.quantile(power, _QUANTILE, axis=0))
