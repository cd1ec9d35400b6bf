"""Sample-rate conversion, streamed or at once, with the same bits either way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_chunk, check_rate

if TYPE_CHECKING:
    import soxr  # type: ignore[import-untyped]

MODEL_RATE_HZ = 16_000


class Resampler:
    """Converts a stream from one rate to another with soxr's HQ filter.

    Images and aliases stay below -140 dB. That is not idle: the front end's power of 0.3 turns -60 dB into an
    eighth of the loudest value.

    Parameters
    ----------
    from_hz, to_hz
        Rates of what goes in and what comes out; equal rates pass samples through untouched.

    Raises
    ------
    InputError
        If a rate is not a whole number of hertz between 4,000 and 384,000.
    """

    def __init__(self, *, from_hz: int, to_hz: int = MODEL_RATE_HZ) -> None:
        self.from_hz, self.to_hz = check_rate(from_hz), check_rate(to_hz)
        self._stream = None if from_hz == to_hz else _soxr_stream(from_hz, to_hz)

    @property
    def delay_samples(self) -> int:
        """Output samples that the filter still holds back; `flush` returns them."""
        return 0 if self._stream is None else round(self._stream.delay())

    def push(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The output that these samples complete.

        Parameters
        ----------
        samples
            Mono floating-point samples at ``from_hz``, any number of them.

        Returns
        -------
        float32 [n], n >= 0
            However a signal is cut into calls, the outputs together are bitwise the same.

        Raises
        ------
        InputError
            If the samples are not one-dimensional, not floating-point or not finite.
        """
        return self._resample(check_chunk(samples), last=False)

    def flush(self) -> NDArray[np.float32]:
        """The rest of the output, after which the next `push` starts a new signal."""
        rest = self._resample(np.empty(0, np.float32), last=True)
        self.reset()
        return rest

    def reset(self) -> None:
        """Forget what was pushed."""
        if self._stream is not None:
            self._stream.clear()

    def _resample(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        return samples if self._stream is None else self._stream.resample_chunk(samples, last=last)


def resample(samples: ArrayLike, *, from_hz: int, to_hz: int = MODEL_RATE_HZ) -> NDArray[np.float32]:
    """A whole signal at another rate: one `Resampler.push` and its `Resampler.flush`."""
    resampler = Resampler(from_hz=from_hz, to_hz=to_hz)
    output, rest = resampler.push(samples), resampler.flush()
    return np.concatenate([output, rest]) if len(rest) else output


def _soxr_stream(from_hz: int, to_hz: int) -> soxr.ResampleStream:
    import soxr

    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
