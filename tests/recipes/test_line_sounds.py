"""Tones, music and noise of a telephone line."""

import numpy as np
import pytest

from recipes.line_sounds import RATE_HZ, SOUNDS


def made(name, seed=3, seconds=4.0):
    return SOUNDS[name](np.random.default_rng(seed), seconds)


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_as_long_and_as_loud_as_asked_and_the_same_for_a_seed(name):
    sound = made(name)
    assert (sound.dtype, len(sound)) == (np.float32, 4 * RATE_HZ)
    assert np.sqrt(np.mean(sound[sound != 0] ** 2)) == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(sound, made(name))
    assert not np.array_equal(made("plucked", seed=4), made("plucked"))


def test_a_key_is_two_of_the_eight_tones():
    key = made("dtmf")[: RATE_HZ // 10]
    power = np.abs(np.fft.rfft(key * np.hanning(len(key)), RATE_HZ)) ** 2
    low = 600 + power[600:1_000].argmax()
    high = 1_100 + power[1_100:1_800].argmax()
    assert min(abs(low - tone) for tone in (697, 770, 852, 941)) <= 3
    assert min(abs(high - tone) for tone in (1209, 1336, 1477, 1633)) <= 3


def test_a_busy_line_is_on_half_of_the_time():
    sound = made("busy")
    assert np.mean(np.abs(sound) > 0) == pytest.approx(0.5, abs=0.01)
