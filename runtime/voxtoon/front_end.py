"""From 16 kHz samples to frames: one class for a whole clip and for a stream, with the same bits either way.

The framing is that of the Speech2Face paper. Frame ``t`` covers samples ``160 t`` to ``160 t + 399``, a
periodic Hann window is applied, and 112 zeros are appended on the right before the FFT. Other libraries centre a
short window inside the FFT, which leaves magnitudes alone and turns every phase; a manifest therefore carries
each of these choices as a field of `FrontEndSpec`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_chunk
from .errors import InputError
from .mel import MelBands, mel_filters
from .power_law import PowerLaw

Kind = Literal["complex_power", "log_mel"]
_T = TypeVar("_T")

# 64 frames keep every work buffer of the complex front end inside a 512 KB second-level cache.
_BLOCK_FRAMES = 64
_FIXED = {"window": "hann_periodic", "framing": "uncentred", "pad_side": "right"}
_LOG_MEL_FIELDS = ("mel_bins", "mel_low_hz", "mel_high_hz", "mel_floor", "log_offset", "log_scale")
_FIELDS_OF_KIND: dict[str, tuple[str, ...]] = {"complex_power": ("exponent",), "log_mel": _LOG_MEL_FIELDS}
_INTEGERS = ("sample_rate_hz", "window_samples", "hop_samples", "fft_samples", "clip_samples", "mel_bins")
_NUMBERS = ("input_scale", "exponent", "mel_low_hz", "mel_high_hz", "mel_floor", "log_offset", "log_scale")


@dataclass(frozen=True, kw_only=True)
class FrontEndSpec:
    """Everything that decides the numbers in a frame.

    Attributes
    ----------
    kind
        ``complex_power``: real and imaginary part, each ``sgn(x) |x|**exponent``.
        ``log_mel``: ``(ln(max(mel power, mel_floor)) + log_offset) * log_scale``.
    sample_rate_hz, window, window_samples, hop_samples, fft_samples, framing, pad_side
        The short-time Fourier transform.
    clip_samples
        Length of the clips the system was trained on; a shorter voice is repeated up to it, see `tile_clip`.
    input_scale
        Full scale of the samples: 1.0 for [-1, 1].
    exponent
        Of ``complex_power``, in (0, 1]; None otherwise.
    mel_bins, mel_low_hz, mel_high_hz, mel_floor, log_offset, log_scale
        Of ``log_mel``; None otherwise. The filters are those of `voxtoon.mel.mel_filters`.
    """

    kind: Kind
    sample_rate_hz: int = 16_000
    window: Literal["hann_periodic"] = "hann_periodic"
    window_samples: int = 400
    hop_samples: int = 160
    fft_samples: int = 512
    framing: Literal["uncentred"] = "uncentred"
    pad_side: Literal["right"] = "right"
    clip_samples: int = 96_000
    input_scale: float = 1.0
    exponent: float | None = None
    mel_bins: int | None = None
    mel_low_hz: float | None = None
    mel_high_hz: float | None = None
    mel_floor: float | None = None
    log_offset: float | None = None
    log_scale: float | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_values(self)

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Shape of one frame: (257, 2) for re/im, (64, 1) for 64 mel bins."""
        return (self.fft_samples // 2 + 1, 2) if self.mel_bins is None else (self.mel_bins, 1)

    def frame_count(self, samples: int) -> int:
        """Frames that fit in so many samples; 96,000 samples give 598."""
        return max(0, (samples - self.window_samples) // self.hop_samples + 1)

    def to_json(self) -> dict[str, Any]:
        """Every field, in the order of the class, as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> FrontEndSpec:
        """The spec a manifest holds.

        Raises
        ------
        InputError
            If ``data`` is no object, or a field is unknown, missing, ill-typed or out of range.
        """
        if not isinstance(data, Mapping):
            raise InputError("front end", got=type(data).__name__, expected="a JSON object")
        known = {field.name for field in fields(cls)}
        for problem, names in (("unknown", set(data) - known), ("missing", known - set(data))):
            if names:
                raise InputError(f"front end has {problem} fields: {', '.join(sorted(map(str, names)))}")
        return cls(**data)


def _check_types(spec: FrontEndSpec) -> None:
    of_this_kind = _FIELDS_OF_KIND.get(str(spec.kind))
    if of_this_kind is None:
        raise InputError("front end kind", got=repr(spec.kind), expected=" or ".join(get_args(Kind)))
    for name, wanted in _FIXED.items():
        if getattr(spec, name) != wanted:
            raise InputError(f"front end {name}", got=repr(getattr(spec, name)), expected=repr(wanted))
    for names, types, noun in (
        (_INTEGERS, (int,), "an integer"),
        (_NUMBERS, (int, float), "a finite number"),
    ):
        for name in names:
            value = getattr(spec, name)
            if name in ("exponent", *_LOG_MEL_FIELDS) and name not in of_this_kind:
                if value is not None:
                    raise InputError(
                        f"front end {name} of kind {spec.kind}", got=repr(value), expected="null"
                    )
            elif isinstance(value, bool) or not isinstance(value, types) or not math.isfinite(value):
                raise InputError(f"front end {name}", got=repr(value), expected=noun)


def _check_values(spec: FrontEndSpec) -> None:
    rules = {
        "sample_rate_hz": spec.sample_rate_hz > 0,
        "hop_samples": 0 < spec.hop_samples <= spec.window_samples,
        "window_samples": 0 < spec.window_samples <= spec.fft_samples,
        "fft_samples": spec.fft_samples % 2 == 0,
        "clip_samples": spec.clip_samples >= spec.window_samples,
        "input_scale": spec.input_scale > 0,
        "exponent": spec.exponent is None or 0 < spec.exponent <= 1,
        "mel_bins": spec.mel_bins is None or spec.mel_bins > 0,
        "mel_low_hz": spec.mel_low_hz is None or spec.mel_low_hz >= 0,
        "mel_high_hz": spec.mel_high_hz is None
        or spec.mel_low_hz is None
        or spec.mel_low_hz < spec.mel_high_hz <= spec.sample_rate_hz / 2,
        "mel_floor": spec.mel_floor is None or spec.mel_floor > 0,
    }
    for name, holds in rules.items():
        if not holds:
            raise InputError(f"front end {name} is out of range", got=repr(getattr(spec, name)))


COMPLEX_POWER = FrontEndSpec(kind="complex_power", exponent=0.3)
"""The Speech2Face paper's: 257 bins, real and imaginary part to the power 0.3."""

LOG_MEL = FrontEndSpec(
    kind="log_mel",
    mel_bins=64,
    mel_low_hz=125.0,
    mel_high_hz=7500.0,
    mel_floor=1e-6,
    log_offset=4.0,
    log_scale=0.25,
)
"""64 mel bins, an eighth of the input of the paper's.

In the narrowest band the floor is the power of white noise 82 dB below full scale; less than one in a hundred
values of recorded speech lies below it. Over 148 clips of such speech ``ln(mel)`` has mean -3.94 and standard
deviation 3.86, which offset and scale bring to about 0 and 1.
"""


class FrontEnd:
    """Turns samples into frames, as many as are complete, and keeps the rest for the next call.

    Parameters
    ----------
    spec
        What to compute.

    Notes
    -----
    Between calls at most ``window_samples - 1`` samples are kept. Work buffers are allocated once.
    """

    def __init__(self, spec: FrontEndSpec) -> None:
        self.spec = spec
        n = spec.window_samples
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)) / spec.input_scale
        self._buffer = np.zeros((_BLOCK_FRAMES - 1) * spec.hop_samples + n, np.float64)
        self._frames = np.lib.stride_tricks.sliding_window_view(self._buffer, n)[:: spec.hop_samples]
        self._padded = np.zeros((_BLOCK_FRAMES, spec.fft_samples), np.float64)
        self._windowed = self._padded[:, :n]
        self._kernel = _KERNELS[spec.kind](spec)
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
        frames = np.empty(
            (self.spec.frame_count(self._held + len(fresh)), *self.spec.frame_shape), np.float32
        )
        read = written = 0
        while read < len(fresh):
            taken = min(len(self._buffer) - self._held, len(fresh) - read)
            self._buffer[self._held : self._held + taken] = fresh[read : read + taken]
            self._held += taken
            read += taken
            written += self._drain(frames[written:])
        return frames

    def frames(self, samples: ArrayLike) -> NDArray[np.float32]:
        """The frames of a whole signal: `reset`, then `push`."""
        self.reset()
        return self.push(samples)

    def _drain(self, frames: NDArray[np.float32]) -> int:
        """Write the complete frames of the buffer and move what the next one needs to its start."""
        count = self.spec.frame_count(self._held)
        if count:
            np.multiply(self._frames[:count], self._window, out=self._windowed[:count])
            self._kernel(np.fft.rfft(self._padded[:count]), frames[:count])
            used = count * self.spec.hop_samples
            self._held -= used
            self._buffer[: self._held] = self._buffer[used : used + self._held]
        return count


def _given(value: _T | None) -> _T:
    """A field of the spec's own kind, which the spec has checked to be there."""
    assert value is not None
    return value


class _ComplexPower:
    """Real and imaginary part of each bin, compressed by a power law."""

    def __init__(self, spec: FrontEndSpec) -> None:
        bins, parts = spec.frame_shape
        self._power_law = PowerLaw(_given(spec.exponent), rows=_BLOCK_FRAMES, columns=bins * parts)

    def __call__(self, spectrum: NDArray[np.complex128], frames: NDArray[np.float32]) -> None:
        # complex64 in memory is re, im, re, im: as float32 it already has the layout of the frames.
        parts = spectrum.astype(np.complex64).view(np.float32)
        self._power_law(parts, out=frames.reshape(parts.shape))


class _LogMel:
    """Logarithm of the power in mel bands."""

    def __init__(self, spec: FrontEndSpec) -> None:
        bins = _given(spec.mel_bins)
        filters = mel_filters(
            bins=bins,
            low_hz=_given(spec.mel_low_hz),
            high_hz=_given(spec.mel_high_hz),
            sample_rate_hz=spec.sample_rate_hz,
            fft_samples=spec.fft_samples,
        )
        self._bands = MelBands(filters, rows=_BLOCK_FRAMES)
        self._power = np.empty((_BLOCK_FRAMES, len(filters)), np.float64)
        self._mel = np.empty((_BLOCK_FRAMES, bins), np.float64)
        self._floor = _given(spec.mel_floor)
        self._offset, self._scale = _given(spec.log_offset), _given(spec.log_scale)

    def __call__(self, spectrum: NDArray[np.complex128], frames: NDArray[np.float32]) -> None:
        power, mel = self._power[: len(spectrum)], self._mel[: len(spectrum)]
        parts = spectrum.view(np.float64)
        np.square(parts, out=parts)
        np.add(parts[:, 0::2], parts[:, 1::2], out=power)
        self._bands(power, out=mel)
        np.maximum(mel, self._floor, out=mel)
        np.log(mel, out=mel)
        np.add(mel, self._offset, out=mel)
        np.multiply(mel, self._scale, out=frames[:, :, 0])


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
    As the Speech2Face paper does, section 3: "we duplicate the audio" up to six seconds.
    """
    if len(samples) == 0:
        raise InputError("no samples to tile to a clip", hint="give at least one sample")
    return np.resize(samples[:clip_samples], clip_samples)
