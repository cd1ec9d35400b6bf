"""Sound from files and arrays: what is read, and the one line told about what is not."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxtoon.audio import Audio, audio_blocks, check_chunk, check_rate, check_samples, read_audio
from voxtoon.errors import InputError


def tone(duration_s: float, *, rate_hz: int = 16_000, frequency_hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write(path: Path, samples: np.ndarray, *, rate_hz: int = 16_000, **options: str) -> Path:
    soundfile.write(path, samples, rate_hz, **options)
    return path


def refusal(path: Path, **options: int | None) -> str:
    with pytest.raises(InputError) as caught:
        read_audio(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert caught.value.exit_code == 2
    return message.removeprefix(str(path))


# Files that are read


def test_a_float_wav_comes_back_bit_for_bit(tmp_path: Path) -> None:
    samples = tone(1.0)
    audio = read_audio(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert audio.sample_rate_hz == 16_000
    assert audio.duration_s == 1.0
    assert audio.samples.dtype == np.float32
    np.testing.assert_array_equal(audio.samples, samples)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 1 / 32_768),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "ULAW", 0.02),
        ("a.flac", "PCM_16", 1 / 32_768),
        ("a.aiff", "PCM_16", 1 / 32_768),
        ("a.ogg", "VORBIS", 0.05),
        ("a.opus", "OPUS", 0.05),
        ("a.mp3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_compressed_and_integer_formats_are_read(
    tmp_path: Path, name: str, subtype: str, tolerance: float
) -> None:
    samples = tone(1.0)
    options = {"format": "OGG"} if subtype == "OPUS" else {}
    audio = read_audio(write(tmp_path / name, samples, subtype=subtype, **options))
    middle = slice(4_000, 12_000)
    assert np.abs(audio.samples[middle] - samples[middle]).max() < tolerance


@pytest.mark.parametrize("rate_hz", [4_000, 8_000, 44_100, 192_000])
def test_any_rate_from_4_to_384_khz_is_read_as_it_is(tmp_path: Path, rate_hz: int) -> None:
    audio = read_audio(write(tmp_path / "a.wav", tone(0.2, rate_hz=rate_hz), rate_hz=rate_hz))
    assert (audio.sample_rate_hz, audio.duration_s) == (rate_hz, pytest.approx(0.2))


@pytest.mark.parametrize("channels", [2, 8])
def test_one_channel_is_taken_and_none_are_mixed(tmp_path: Path, channels: int) -> None:
    voices = np.stack([tone(0.1, frequency_hz=200.0 * (i + 1)) for i in range(channels)], axis=1)
    path = write(tmp_path / "a.wav", voices, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path).samples, voices[:, 0])
    np.testing.assert_array_equal(read_audio(path, channel=channels - 1).samples, voices[:, -1])


def test_silence_clipping_and_a_fifth_of_a_second_are_sound_too(tmp_path: Path) -> None:
    silence = read_audio(write(tmp_path / "silence.wav", np.zeros(3_200, np.float32)))
    np.testing.assert_array_equal(silence.samples, 0.0)
    clipped = read_audio(write(tmp_path / "clipped.wav", np.clip(9 * tone(0.2), -1, 1)))
    assert np.abs(clipped.samples).max() == pytest.approx(1.0, abs=1e-4)


def test_reading_stops_where_it_is_told_to(tmp_path: Path) -> None:
    samples = tone(3.7)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path, max_seconds_s=2.6).samples, samples[:41_600])
    np.testing.assert_array_equal(read_audio(path, max_seconds_s=60.0).samples, samples)


def test_blocks_are_the_file_in_pieces(tmp_path: Path) -> None:
    samples = tone(2.3)
    with audio_blocks(write(tmp_path / "a.wav", samples, subtype="FLOAT"), block_s=0.5) as (rate_hz, blocks):
        pieces = list(blocks)
    assert rate_hz == 16_000
    assert [len(piece) for piece in pieces] == [8_000] * 4 + [4_800]
    np.testing.assert_array_equal(np.concatenate(pieces), samples)


def test_an_hour_of_stereo_takes_the_memory_of_the_seconds_wanted(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", 8_000, 2, "PCM_U8") as sound:
        minute = np.zeros((480_000, 2), np.float32)
        for _ in range(60):
            sound.write(minute)
    # The least of three: what other tests left running allocates too, and an hour would be there each time.
    peaks_bytes = []
    for _ in range(3):
        tracemalloc.start()
        assert read_audio(path, max_seconds_s=6.0).duration_s == 6.0
        with audio_blocks(path) as (_, blocks):
            assert sum(len(block) for block in blocks) == 3_600 * 8_000
        peaks_bytes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks_bytes) < 1_000_000, "an hour of one channel is 115 MB"


# Files that are not


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.wav") == ": no such file"


def test_a_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path) == ": not a file; give a sound file"


def test_a_file_of_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert refusal(path) == ": the file is empty; give a sound file"


@pytest.mark.parametrize("name", ["a.wav", "a.txt", "a.mp3", "a.raw", "a"])
def test_what_is_not_sound(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("This is a letter, not a voice.\n" * 100)
    message = refusal(path)
    assert message.startswith(": not a sound file that libsndfile reads; WAV, FLAC, Ogg (Vorbis, Opus), MP3")


def test_a_flac_that_ends_in_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 64_000))
    path.write_bytes(path.read_bytes()[:20])
    assert "not a sound file" in refusal(path)


def test_no_samples(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.empty(0, np.float32))
    assert refusal(path) == ": too short: got 0 samples (0 ms), expected at least 25 ms"


def test_one_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(1, np.float32))
    assert refusal(path) == ": too short: got 1 samples (0.0625 ms), expected at least 25 ms"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(tmp_path: Path, value: float) -> None:
    samples = tone(1.0)
    samples[1_234] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert refusal(path).startswith(": NaN or infinity in 1 of 16000 samples: got the first at sample 1234")


def test_floats_on_the_scale_of_integers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 32_768 * tone(0.1), subtype="FLOAT")
    assert refusal(path).startswith(": far beyond full scale: got a peak of 163")


@pytest.mark.parametrize("rate_hz", [3_999, 400_000])
def test_a_rate_out_of_range(tmp_path: Path, rate_hz: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros(rate_hz, np.float32), rate_hz=rate_hz)
    expected = "expected a whole number from 4000 to 384000 Hz"
    assert refusal(path) == f": sample rate: got {rate_hz} Hz, {expected}"


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros((1_600, 2), np.float32))
    assert refusal(path, channel=2) == ": channel 2: expected 0 to 1"
    assert refusal(path, channel=-1) == ": channel -1: expected 0 to 1"
    assert refusal(path, channel=None) == ": channels: got 2, expected 1; choose one"


# Arrays


def test_float_samples_are_passed_on_without_a_copy() -> None:
    samples = tone(0.1)
    assert np.shares_memory(check_samples(samples, sample_rate_hz=16_000), samples)


def test_int16_is_brought_to_full_scale() -> None:
    samples = np.tile(np.array([-32_768, 0, 16_384, 32_767], np.int16), 200)
    checked = check_samples(samples, sample_rate_hz=16_000)
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked[:4], np.array([-1.0, 0.0, 0.5, 32_767 / 32_768], np.float32))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            np.zeros((1600, 2), np.float32),
            r"samples: got shape \(1600, 2\), expected one dimension; pass one",
        ),
        (np.zeros((1600, 1), np.float32), r"samples: got shape \(1600, 1\), expected one dimension"),
        (np.float32(0.5), r"samples: got shape \(\), expected one dimension"),
        (np.zeros(1600, np.int32), "samples: got int32, expected float32"),
        (np.zeros(1600, np.complex64), "samples: got complex64, expected float32"),
        (np.array(["a"] * 1600), "samples: got <U1, expected float32"),
        (np.full(1600, 1e300), "samples: NaN or infinity in 1600 of 1600 samples"),
        (np.full(1600, 100.0), "samples: far beyond full scale: got a peak of 100"),
        (np.zeros(399, np.float32), "samples: too short: got 399 samples .* expected at least 25 ms"),
        ([], "samples: too short: got 0 samples"),
    ],
)
def test_what_is_no_recording_is_refused(samples: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        check_samples(samples, sample_rate_hz=16_000)  # type: ignore[arg-type]


def test_a_stream_may_push_nothing() -> None:
    assert len(check_samples(np.empty(0, np.float32), sample_rate_hz=16_000, minimum_s=0.0)) == 0
    assert len(check_chunk([])) == 0


def test_a_rate_of_another_type_is_told_apart_from_a_number() -> None:
    assert check_rate(np.int64(8_000)) == 8_000  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"got 16000\.0 Hz"):
        check_rate(16_000.0)  # type: ignore[arg-type]


def test_audio_is_a_value() -> None:
    audio = Audio(tone(0.5, rate_hz=8_000), 8_000)
    assert audio.duration_s == 0.5
