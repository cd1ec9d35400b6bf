"""Changed voices: the tract's resonances move as asked, the pitch does not, and chance is in the seed."""

import numpy as np
import pytest
import torch

from recipes.augment import RATE_HZ, Channel
from recipes.changed_voices import change_voice, make_changed_voices, scale_formants
from recipes.speaker_network import SpeakerNetwork
from voxtoon.front_end import LOG_MEL

PERIOD_SAMPLES, FORMANT_HZ = 128, 1500.0
FREQUENCY_HZ = np.fft.rfftfreq(2 * RATE_HZ, 1 / RATE_HZ)


def resonating(excitation):
    envelope = 0.01 + 1.0 / np.sqrt(1.0 + ((FREQUENCY_HZ - FORMANT_HZ) / 200.0) ** 2)
    sound = np.fft.irfft(np.fft.rfft(excitation) * envelope)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.fixture(scope="module")
def whisper():
    """Noise through one resonance at 1500 Hz."""
    return resonating(np.random.default_rng(0).standard_normal(2 * RATE_HZ))


@pytest.fixture(scope="module")
def voice():
    """Pulses 125 times a second through the same resonance."""
    return resonating((np.arange(2 * RATE_HZ) % PERIOD_SAMPLES == 0).astype(float))


def formant_hz(sound):
    bell = np.hanning(1001)
    smooth = np.convolve(np.abs(np.fft.rfft(sound)) ** 2, bell / bell.sum(), "same")
    return FREQUENCY_HZ[smooth.argmax()]


def period_samples(sound):
    correlation = np.fft.irfft(np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2)
    return 80 + np.argmax(correlation[80:200])


def test_a_factor_of_one_changes_nothing(voice):
    assert np.allclose(scale_formants(voice, 1.0), voice, atol=1e-4)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_formants_move_by_the_factor(whisper, factor):
    moved = scale_formants(whisper, factor)
    assert len(moved) == len(whisper)
    assert formant_hz(moved) == pytest.approx(FORMANT_HZ * factor, rel=0.03)


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_the_pitch_stays(voice, factor):
    """Between the harmonics of a voice the envelope is a guess, so formants move less than asked."""
    moved = scale_formants(voice, factor)
    assert period_samples(moved) == pytest.approx(PERIOD_SAMPLES, abs=1)
    assert (formant_hz(moved) - FORMANT_HZ) * (factor - 1.0) > 0.0


def test_a_changed_voice_has_another_pitch_and_length(voice):
    changed = change_voice(voice, np.random.default_rng(3))
    assert len(changed) != len(voice)
    assert np.abs(changed).max() <= 1.0


def test_each_voice_is_there_as_often_as_asked_and_the_seed_decides(voice):
    torch.manual_seed(0)
    network = SpeakerNetwork().eval()

    def made(seed):
        return make_changed_voices([voice, -voice], LOG_MEL, network, count=2, channel=Channel(), seed=seed)

    pool, views = made(1)
    assert pool.frames.shape == (4, 2, 598, 64, 1)
    assert views.shape == (4, 3, 256)
    again, other = made(1), made(2)
    assert torch.equal(again[0].frames, pool.frames)
    assert np.allclose(again[1], views, atol=1e-6)
    assert not torch.equal(other[0].frames, pool.frames)
