"""From samples to frames: one class for a whole clip and for a stream, with the same bits either way."""

from __future__ import annotations

import math
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_chunk
from .errors import InputError
from .front_end_spec import COMPLEX_POWER, LOG_MEL, WAVEFORM, FrontEndSpec, Kind
from .mel import MelBands, mel_filters
from .power_law import PowerLaw
from .waveform import Waveform
from .work_rows import WorkRows

__all__ = [
    "COMPLEX_POWER",
    "LOG_MEL",
    "WAVEFORM",
    "ClipFrontEnd",
    "FrontEnd",
    "FrontEndSpec",
    "clip_front_end",
    "tile_clip",
]

# 64 frames keep every work buffer of the complex front end inside a 512 KB second-level cache.
_BLOCK_FRAMES = 64
_RFFT_HAS_OUT = int(np.__version__.partition(".")[0]) >= 2
_T = TypeVar("_T")


class ClipFrontEnd(Protocol):
    """What every kind of front end can do."""

    spec: FrontEndSpec

    def frames(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The frames of one clip of ``spec.clip_samples``, [n, *spec.frame_shape]."""


def clip_front_end(spec: FrontEndSpec) -> ClipFrontEnd:
    """The front end of a spec, of whatever kind: from a whole clip to its frames."""
    return FrontEnd(spec) if spec.kind in _KERNELS else Waveform(spec)


class FrontEnd:
    """Turns samples into frames, as many as are complete, and keeps the rest for the next call.

    Parameters
    ----------
    spec
        What to compute; of a spectral kind (`Waveform` is the other).

    Notes
    -----
    Between calls at most ``window_samples - 1`` samples are kept. Work buffers are allocated once.
    """

    def __init__(self, spec: FrontEndSpec) -> None:
        self.spec = spec
        n, hop, fft = _given(spec.window_samples), _given(spec.hop_samples), _given(spec.fft_samples)
        self._hop = hop
        self._buffer = np.zeros((_BLOCK_FRAMES - 1) * hop + n, np.float64)
        padded, windows = np.zeros((2, _BLOCK_FRAMES, fft), np.float64)
        # A window for each row: with one for all, numpy goes row by row and takes nearly twice as long.
        windows[:, :n] = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)) / spec.input_scale
        overlapping = np.lib.stride_tricks.sliding_window_view(self._buffer, n)[::hop]
        spectra = np.empty((_BLOCK_FRAMES, fft // 2 + 1), np.complex128)
        self._rows = WorkRows(overlapping, padded[:, :n], padded, windows, spectra)
        self._kernel = _KERNELS[spec.kind](spec)
        self._frame_shape = spec.frame_shape
        self._columns = math.prod(spec.frame_shape)
        self._held = 0

    def reset(self) -> None:
        """Forget the samples kept from earlier calls."""
        self._held = 0

    def push(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The frames that these samples complete.

        Parameters
        ----------
        samples
            Mono floating-point samples, any number of them, at ``spec.sample_rate_hz``.

        Returns
        -------
        float32 [n, *spec.frame_shape], n >= 0
            However a signal is cut into calls, the frames together are bitwise the same.

        Raises
        ------
        InputError
            If the samples are not one-dimensional, not floating-point or not finite.
        """
        fresh = check_chunk(samples)
        count = self.spec.frame_count(self._held + len(fresh))
        frames = np.empty((count, self._columns), np.float32)
        read = written = 0
        while read < len(fresh):
            piece = fresh[read : read + len(self._buffer) - self._held]
            read += len(piece)
            self._buffer[self._held : self._held + len(piece)] = piece
            self._held += len(piece)
            count = self.spec.frame_count(self._held)
            if count:
                self._transform(frames[written : written + count])
                written += count
                self._discard(count * self._hop)
        return frames.reshape(-1, *self._frame_shape)

    def frames(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The frames of a whole signal: `reset`, then `push`."""
        self.reset()
        return self.push(samples)

    def _transform(self, frames: NDArray[np.float32]) -> None:
        """Compute as many frames as there is room for, [n, columns], from the start of the buffer."""
        overlapping, unpadded, padded, windows, spectra = self._rows[len(frames)]
        np.copyto(unpadded, overlapping)
        np.multiply(padded, windows, out=padded)
        spectrum = np.fft.rfft(padded, out=spectra) if _RFFT_HAS_OUT else np.fft.rfft(padded)
        self._kernel(spectrum, frames)

    def _discard(self, samples: int) -> None:
        """Move what the next frame still needs to the start of the buffer."""
        self._buffer[: self._held - samples] = self._buffer[samples : self._held]
        self._held -= samples


def _given(value: _T | None) -> _T:
    """A field of the spec's own kind, which the spec has checked to be there."""
    assert value is not None
    return value


class _ComplexPower:
    """Real and imaginary part of each bin, compressed by a power law."""

    def __init__(self, spec: FrontEndSpec) -> None:
        columns = math.prod(spec.frame_shape)
        self._power_law = PowerLaw(_given(spec.exponent), rows=_BLOCK_FRAMES, columns=columns)
        self._rows = WorkRows(np.empty((_BLOCK_FRAMES, columns), np.float32))

    def __call__(self, spectrum: NDArray[np.complex128], frames: NDArray[np.float32]) -> None:
        # Complex numbers are re, im, re, im in memory: as real ones they have the layout of the frames.
        (parts,) = self._rows[len(frames)]
        np.copyto(parts, spectrum.view(np.float64), casting="same_kind")
        self._power_law(parts, out=frames)


class _LogMel:
    """Logarithm of the power in mel bands."""

    def __init__(self, spec: FrontEndSpec) -> None:
        bins = _given(spec.mel_bins)
        filters = mel_filters(
            bins=bins,
            low_hz=_given(spec.mel_low_hz),
            high_hz=_given(spec.mel_high_hz),
            sample_rate_hz=spec.sample_rate_hz,
            fft_samples=_given(spec.fft_samples),
        )
        self._bands = MelBands(filters, rows=_BLOCK_FRAMES)
        power = np.empty((_BLOCK_FRAMES, len(filters)), np.float64)
        self._rows = WorkRows(power, np.empty((_BLOCK_FRAMES, bins), np.float64))
        self._floor = _given(spec.mel_floor)
        self._offset, self._scale = _given(spec.log_offset), _given(spec.log_scale)

    def __call__(self, spectrum: NDArray[np.complex128], frames: NDArray[np.float32]) -> None:
        power, mel = self._rows[len(spectrum)]
        parts = spectrum.view(np.float64)
        np.square(parts, out=parts)
        np.add(parts[:, 0::2], parts[:, 1::2], out=power)
        self._bands(power, out=mel)
        np.maximum(mel, self._floor, out=mel)
        np.log(mel, out=mel)
        np.add(mel, self._offset, out=mel)
        np.multiply(mel, self._scale, out=frames)


_KERNELS: dict[Kind, type[_ComplexPower] | type[_LogMel]] = {
    "complex_power": _ComplexPower,
    "log_mel": _LogMel,
}


def tile_clip(samples: NDArray[np.float32], *, clip_samples: int) -> NDArray[np.float32]:
    """A clip of exactly ``clip_samples``: repeated sample by sample if shorter, cut if longer.

    Parameters
    ----------
    samples
        Mono samples, at least one.
    clip_samples
        Length of the result, ``y[n] = x[n mod len(x)]``.

    Raises
    ------
    InputError
        If there are no samples.

    Notes
    -----
    As the Speech2Face paper does with clips shorter than six seconds.
    """
    if len(samples) == 0:
        raise InputError("no samples to tile to a clip", hint="give at least one sample")
    return np.resize(samples[:clip_samples], clip_samples)
