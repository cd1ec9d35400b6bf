"""Recordings of phones are read through ffmpeg, where there is one, and say so where they are none."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from voxtoon.errors import InputError
from voxtoon_quantize.audio_files import read_any

RATE_HZ = 16_000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


@pytest.fixture
def tone(tmp_path):
    """Two seconds that rise from 200 to 1200 Hz, as a WAV file."""
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    samples = 0.5 * np.sin(2 * np.pi * (200 * time_s + 250 * time_s**2)).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", samples, RATE_HZ)
    return tmp_path / "tone.wav"


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".m4a", ".aac", ".mp4", ".webm"])
def test_what_phones_record_is_heard_at_16_khz(tone, suffix):
    path = tone.with_suffix(suffix)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tone, "-ar", "48000", "-ac", "2", path], check=True)
    found = read_any(path, max_seconds_s=30.0)
    original, _ = soundfile.read(tone, dtype="float32")

    assert found.sample_rate_hz == RATE_HZ
    assert len(found.samples) == pytest.approx(len(original), rel=0.1)
    length = 1 << 16  # of the transforms: the codec's delay is where they agree best
    spectra = [np.fft.rfft(samples, length) for samples in (found.samples, original)]
    agreement = np.fft.irfft(spectra[0] * np.conj(spectra[1]), length).max()
    assert agreement > 0.95 * np.linalg.norm(found.samples) * np.linalg.norm(original)


@needs_ffmpeg
def test_no_more_is_read_than_is_asked_for(tone):
    path = tone.with_suffix(".m4a")
    subprocess.run(["ffmpeg", "-v", "error", "-i", tone, path], check=True)

    assert len(read_any(path, max_seconds_s=0.5).samples) == pytest.approx(0.5 * RATE_HZ, rel=0.1)


@needs_ffmpeg
def test_a_damaged_recording_is_named(tmp_path):
    path = tmp_path / "memo.m4a"
    path.write_bytes(b"\0" * 1000)

    with pytest.raises(InputError, match=r"memo\.m4a: not a sound file that ffmpeg reads"):
        read_any(path, max_seconds_s=30.0)


def test_without_ffmpeg_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(InputError, match=r"memo\.m4a: needs ffmpeg; install ffmpeg, or convert"):
        read_any(tmp_path / "memo.m4a", max_seconds_s=30.0)
