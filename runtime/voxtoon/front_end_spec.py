"""What decides the numbers in a frame: the fields a manifest carries, and the front ends there are.

The framing of the spectral kinds is that of the Speech2Face paper. Frame ``t`` covers samples ``160 t`` to
``160 t + 399``, a periodic Hann window is applied, and 112 zeros are appended on the right before the FFT.
Other libraries centre a short window inside the FFT, which leaves magnitudes alone and turns every phase; a
manifest therefore carries each of these choices as a field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from .audio import HIGHEST_RATE_HZ
from .errors import InputError

Kind = Literal["complex_power", "log_mel", "waveform"]
Division = Literal["float", "py2_floor"]

# A manifest is not to be trusted with the size of a work buffer.
_LONGEST_FFT = 1 << 14
_LONGEST_CLIP_S = 600
_COMMON = ("kind", "sample_rate_hz", "clip_samples", "input_scale")
_SPECTRAL = ("window", "window_samples", "hop_samples", "fft_samples", "framing", "pad_side")
_LOG_MEL = ("mel_bins", "mel_low_hz", "mel_high_hz", "mel_floor", "log_offset", "log_scale")
_FIELDS_OF_KIND: dict[str, tuple[str, ...]] = {
    "complex_power": (*_COMMON, *_SPECTRAL, "exponent"),
    "log_mel": (*_COMMON, *_SPECTRAL, *_LOG_MEL),
    "waveform": (*_COMMON, "pre_emphasis", "division"),
}
_WORDS = {
    "window": ("hann_periodic",),
    "framing": ("uncentred",),
    "pad_side": ("right",),
    "division": ("float", "py2_floor"),
}
_INTEGERS = ("sample_rate_hz", "window_samples", "hop_samples", "fft_samples", "clip_samples", "mel_bins")


@dataclass(frozen=True, kw_only=True)
class FrontEndSpec:
    """Everything that decides the numbers in a frame.

    Attributes
    ----------
    kind
        ``complex_power``: real and imaginary part, each ``sgn(x) |x|**exponent``.
        ``log_mel``: ``(ln(max(mel power, mel_floor)) + log_offset) * log_scale``.
        ``waveform``: the samples themselves, by the window, see `voxtoon.waveform.Waveform`.
    sample_rate_hz, window, window_samples, hop_samples, fft_samples, framing, pad_side
        The short-time Fourier transform; all but the rate None for ``waveform``.
    clip_samples
        Length of the clips the system was trained on; a shorter voice is repeated up to it, see `tile_clip`.
    input_scale
        Full scale of the samples: 1.0 for [-1, 1].
    exponent
        Of ``complex_power``, in (0, 1]; None otherwise.
    mel_bins, mel_low_hz, mel_high_hz, mel_floor, log_offset, log_scale
        Of ``log_mel``; None otherwise. The filters are those of `voxtoon.mel.mel_filters`.
    pre_emphasis, division
        Of ``waveform``; None otherwise. How much of the sample before is taken off each, in [0, 1), and how a
        window is divided by its peak.
    """

    kind: Kind
    sample_rate_hz: int = 16_000
    window: Literal["hann_periodic"] | None = "hann_periodic"
    window_samples: int | None = 400
    hop_samples: int | None = 160
    fft_samples: int | None = 512
    framing: Literal["uncentred"] | None = "uncentred"
    pad_side: Literal["right"] | None = "right"
    clip_samples: int = 96_000
    input_scale: float = 1.0
    exponent: float | None = None
    mel_bins: int | None = None
    mel_low_hz: float | None = None
    mel_high_hz: float | None = None
    mel_floor: float | None = None
    log_offset: float | None = None
    log_scale: float | None = None
    pre_emphasis: float | None = None
    division: Division | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_values(self)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame: (257, 2) for re/im, (64, 1) for 64 mel bins, (1,) for a sample of waveform."""
        if self.fft_samples is None:
            return (1,)
        return (self.fft_samples // 2 + 1, 2) if self.mel_bins is None else (self.mel_bins, 1)

    def frame_count(self, samples: int) -> int:
        """Frames that fit in so many samples; 96,000 samples give 598, and as many of waveform."""
        if self.window_samples is None or self.hop_samples is None:
            return samples
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
            If ``data`` is no object, or a field is unknown, missing, ill-typed or out of range. A field of
            another kind may be left out.
        """
        if not isinstance(data, Mapping):
            raise InputError("front end", got=type(data).__name__, expected="a JSON object")
        optional = {field.name: None for field in fields(cls) if field.name not in _COMMON}
        wanted = {*_COMMON, *_FIELDS_OF_KIND.get(str(data.get("kind")), ())}
        for problem, names in (
            ("unknown", set(data) - {*_COMMON, *optional}),
            ("missing", wanted - set(data)),
        ):
            if names:
                raise InputError(f"front end has {problem} fields: {', '.join(sorted(map(str, names)))}")
        return cls(**{**optional, **data})


def _check_types(spec: FrontEndSpec) -> None:
    of_this_kind = _FIELDS_OF_KIND.get(str(spec.kind))
    if of_this_kind is None:
        raise InputError("front end kind", got=repr(spec.kind), expected=" or ".join(get_args(Kind)))
    for name, value in asdict(spec).items():
        if name not in of_this_kind:
            if value is not None:
                raise InputError(f"front end {name} of kind {spec.kind}", got=repr(value), expected="null")
        elif name in _WORDS:
            if value not in _WORDS[name]:
                expected = " or ".join(map(repr, _WORDS[name]))
                raise InputError(f"front end {name}", got=repr(value), expected=expected)
        elif name != "kind":
            types, noun = ((int,), "an integer") if name in _INTEGERS else ((int, float), "a finite number")
            if isinstance(value, bool) or not isinstance(value, types) or not math.isfinite(value):
                raise InputError(f"front end {name}", got=repr(value), expected=noun)


def _check_values(spec: FrontEndSpec) -> None:
    nyquist_hz = spec.sample_rate_hz / 2
    window, fft = spec.window_samples or 1, spec.fft_samples or 1
    rules = {
        "sample_rate_hz": 0 < spec.sample_rate_hz <= HIGHEST_RATE_HZ,
        "fft_samples": spec.fft_samples is None or (0 < fft <= _LONGEST_FFT and fft % 2 == 0),
        "window_samples": spec.window_samples is None or 0 < spec.window_samples <= fft,
        "hop_samples": spec.hop_samples is None or 0 < spec.hop_samples <= window,
        "clip_samples": window <= spec.clip_samples <= _LONGEST_CLIP_S * spec.sample_rate_hz,
        "input_scale": spec.input_scale > 0,
        "exponent": spec.exponent is None or 0 < spec.exponent <= 1,
        "mel_bins": spec.mel_bins is None or 0 < spec.mel_bins <= fft // 2,
        "mel_low_hz": spec.mel_low_hz is None or 0 <= spec.mel_low_hz < nyquist_hz,
        "mel_high_hz": spec.mel_high_hz is None or (spec.mel_low_hz or 0) < spec.mel_high_hz <= nyquist_hz,
        "mel_floor": spec.mel_floor is None or spec.mel_floor > 0,
        "pre_emphasis": spec.pre_emphasis is None or 0 <= spec.pre_emphasis < 1,
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

WAVEFORM = FrontEndSpec(
    kind="waveform",
    window=None,
    window_samples=None,
    hop_samples=None,
    fft_samples=None,
    framing=None,
    pad_side=None,
    clip_samples=16_000,
    pre_emphasis=0.95,
    division="float",
)
"""One second of waveform, as Wav2Pix hears it; its first program divided otherwise, see `Waveform`."""
