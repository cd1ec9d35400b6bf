"""Sound from files and arrays, refused in one clear line when it cannot be a voice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

if TYPE_CHECKING:
    import soundfile  # type: ignore[import-untyped]

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 384_000
MINIMUM_S = 0.025
"""One analysis window; anything shorter cannot give a single frame."""
PEAK_LIMIT = 16.0
"""24 dB over full scale: louder than any float recording, quieter than 16-bit integers taken for floats."""

_BLOCK_S = 1.0
_READABLE = "WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU and CAF can be read; convert other formats first"


@dataclass(frozen=True)
class Audio:
    """Mono sound.

    Attributes
    ----------
    samples
        float32 [n], full scale [-1, 1].
    sample_rate_hz
        Samples per second.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


def check_rate(sample_rate_hz: int, *, name: str = "sample rate") -> int:
    """The sample rate, if it is a whole number of hertz between 4,000 and 384,000; InputError otherwise."""
    whole = isinstance(sample_rate_hz, int | np.integer) and not isinstance(sample_rate_hz, bool)
    if not whole or not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise InputError(
            name,
            got=f"{sample_rate_hz} Hz",
            expected=f"a whole number from {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz",
        )
    return int(sample_rate_hz)


def check_chunk(samples: ArrayLike, *, name: str = "samples") -> NDArray[np.float32]:
    """A piece of a stream as float32: any length, the empty one included.

    Parameters
    ----------
    samples
        One-dimensional, floating-point.
    name
        What the error calls them.

    Returns
    -------
    float32 [n]
        The same memory where no conversion is needed.

    Raises
    ------
    InputError
        If the samples are not one-dimensional, not floating-point or not finite.
    """
    array = np.asarray(samples)
    if array.ndim != 1:
        raise InputError(
            name, got=f"shape {array.shape}", expected="one dimension", hint="pass one channel: samples[:, 0]"
        )
    if array.dtype.kind != "f":
        raise InputError(name, got=array.dtype, expected="float32 in [-1, 1]", hint="divide int16 by 32768")
    if array.dtype == np.float32:
        chunk = np.ascontiguousarray(array)
    else:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinity, and is refused
            chunk = np.ascontiguousarray(array, np.float32)
    finite = np.isfinite(chunk)
    broken = len(chunk) - np.count_nonzero(finite)  # a third of the time of finite.all(), on every push
    if broken:
        raise InputError(
            f"{name}: NaN or infinity in {broken} of {len(chunk)} samples",
            got=f"the first at sample {int(finite.argmin())}",
            expected="finite numbers",
        )
    return chunk


def check_samples(
    samples: ArrayLike, *, sample_rate_hz: int, minimum_s: float = MINIMUM_S, name: str = "samples"
) -> NDArray[np.float32]:
    """The samples of a recording as float32 in [-1, 1], or an error that says what is wrong with them.

    Parameters
    ----------
    samples
        One-dimensional; floating-point with full scale [-1, 1], or int16.
    sample_rate_hz
        Samples per second.
    minimum_s
        Shortest recording to let through; 0 also admits an empty one.
    name
        What the error calls them.

    Raises
    ------
    InputError
        If the samples are not mono, of another type, too few, not finite or far beyond full scale, or if the
        rate is none that `check_rate` lets through.
    """
    check_rate(sample_rate_hz)
    array = np.asarray(samples)
    chunk = check_chunk(array / np.float32(32768) if array.dtype == np.int16 else array, name=name)
    if len(chunk) < minimum_s * sample_rate_hz:
        raise InputError(
            f"{name}: too short",
            got=f"{len(chunk)} samples ({1000 * len(chunk) / sample_rate_hz:.3g} ms)",
            expected=f"at least {1000 * minimum_s:g} ms",
        )
    peak = float(np.max(np.abs(chunk), initial=0.0))
    if peak > PEAK_LIMIT:
        raise InputError(
            f"{name}: far beyond full scale",
            got=f"a peak of {peak:.6g}",
            expected="samples in [-1, 1]",
            hint="divide 16-bit values by 32768",
        )
    return chunk


def read_audio(
    path: str | PathLike[str], *, channel: int | None = 0, max_seconds_s: float | None = None
) -> Audio:
    """One channel of a sound file.

    Parameters
    ----------
    path
        Any format libsndfile reads.
    channel
        Which channel to take, counted from 0. Channels are not mixed: that combs a voice which reached two
        microphones at different times. None insists on a file that has only one.
    max_seconds_s
        Where to stop reading; the rest of the file costs neither time nor memory.

    Raises
    ------
    InputError
        If there is no such file, it is not sound, has no such channel, or its samples fail `check_samples`.
    """
    with _opened(Path(path)) as sound:
        wanted = sound.frames if max_seconds_s is None else round(max_seconds_s * sound.samplerate)
        blocks = list(_blocks(sound, Path(path), channel=channel, block_s=_BLOCK_S, frames=wanted))
        rate_hz = sound.samplerate
    samples = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    return Audio(check_samples(samples, sample_rate_hz=rate_hz, name=str(path)), rate_hz)


@contextmanager
def audio_blocks(
    path: str | PathLike[str], *, channel: int | None = 0, block_s: float = _BLOCK_S
) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """The sample rate of a sound file and an iterator over its blocks, however long the file.

    Parameters
    ----------
    path, channel
        As in `read_audio`.
    block_s
        Length of a block; the last one may be shorter.

    Raises
    ------
    InputError
        As `read_audio`, where the offending block is reached.
    """
    with _opened(Path(path)) as sound:
        yield (
            sound.samplerate,
            _blocks(sound, Path(path), channel=channel, block_s=block_s, frames=sound.frames),
        )


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The open file, with libsndfile's errors told as ours."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file", hint="give a sound file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty", hint="give a sound file")

    import soundfile

    try:
        # TypeError: soundfile takes the name *.raw for samples without a header.
        with soundfile.SoundFile(path) as sound:
            check_rate(sound.samplerate, name=f"{path}: sample rate")
            yield sound
    except (soundfile.LibsndfileError, TypeError) as error:
        raise InputError(f"{path}: not a sound file that libsndfile reads", hint=_READABLE) from error


def _blocks(
    sound: soundfile.SoundFile, path: Path, *, channel: int | None, block_s: float, frames: int
) -> Iterator[NDArray[np.float32]]:
    if channel is None and sound.channels != 1:
        raise InputError(f"{path}: channels", got=sound.channels, expected=1, hint="choose one")
    index = channel or 0
    if not 0 <= index < sound.channels:
        raise InputError(f"{path}: channel {index}", expected=f"0 to {sound.channels - 1}")
    block_frames = max(1, round(block_s * sound.samplerate))
    while frames > 0:
        block = sound.read(min(block_frames, frames), dtype="float32", always_2d=True)[:, index]
        if len(block) == 0:
            return
        frames -= len(block)
        yield check_samples(block, sample_rate_hz=sound.samplerate, minimum_s=0.0, name=str(path))
