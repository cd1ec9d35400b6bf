"""Sound files: what libsndfile reads, and through ffmpeg, where it is installed, what it does not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import numpy as np

from voxtoon.audio import Audio, check_samples, read_audio
from voxtoon.errors import InputError
from voxtoon.resample import MODEL_RATE_HZ

OWN_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".opus", ".mp3")
FFMPEG_SUFFIXES: Final = (".m4a", ".aac", ".mp4", ".webm", ".amr", ".3gp")
SUFFIXES: Final = (*OWN_SUFFIXES, *FFMPEG_SUFFIXES)

_TIMEOUT_S: Final = 60.0


def read_any(path: Path, *, max_seconds_s: float) -> Audio:
    """Read one channel of a sound file, at most so many seconds.

    Raises
    ------
    InputError
        It is no sound file, or of a kind that needs ffmpeg, which is not installed.
    """
    if path.suffix.lower() in OWN_SUFFIXES:
        return read_audio(path, max_seconds_s=max_seconds_s)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise InputError(f"{path}: needs ffmpeg", hint="install ffmpeg, or convert the file to FLAC")
    # A media file can name others, even on the network; it may open nothing but itself.
    command = [ffmpeg, "-v", "error", "-nostdin", "-protocol_whitelist", "file,pipe"]
    command += ["-t", str(max_seconds_s), "-i", f"file:{path}", "-vn"]
    command += ["-ac", "1", "-ar", str(MODEL_RATE_HZ), "-f", "f32le", "-"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise InputError(f"{path}: not a sound file that ffmpeg reads", got=type(error).__name__) from error
    samples = np.frombuffer(done.stdout, "<f4").astype(np.float32)
    return Audio(check_samples(samples, sample_rate_hz=MODEL_RATE_HZ, name=str(path)), MODEL_RATE_HZ)
