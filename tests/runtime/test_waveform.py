"""The waveform front end: one window, its peak to 1, pre-emphasis, and the division that floored."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon import InputError
from voxtoon.front_end import LOG_MEL, WAVEFORM, clip_front_end
from voxtoon.waveform import Waveform

FLOAT = replace(WAVEFORM, clip_samples=6)
FLOOR = replace(FLOAT, division="py2_floor")
WINDOW = np.array([0.1, -0.2, 0.5, 0.0, -0.05, 0.5], np.float32)


def in_words_of_the_definition(window, division):
    peak = max(abs(value) for value in window)
    normal = [division(value, peak) for value in window]
    return [normal[0]] + [normal[n] - 0.95 * normal[n - 1] for n in range(1, len(normal))]


def test_a_window_is_divided_by_its_peak_and_emphasised():
    expected = in_words_of_the_definition(WINDOW.tolist(), lambda value, peak: value / peak)
    frames = Waveform(FLOAT).frames(WINDOW)
    assert (frames.shape, frames.dtype) == ((6, 1), np.float32)
    np.testing.assert_allclose(frames[:, 0], expected, atol=1e-6)


def test_floor_division_of_whole_numbers_leaves_the_sign_and_the_peak():
    whole = [round(float(value) * 32768) for value in WINDOW]
    expected = in_words_of_the_definition(whole, lambda value, peak: value // peak)
    assert [value // max(map(abs, whole)) for value in whole] == [0, -1, 1, 0, -1, 1]
    np.testing.assert_allclose(Waveform(FLOOR).frames(WINDOW)[:, 0], expected, atol=1e-6)


@given(st.lists(st.integers(-32768, 32767), min_size=6, max_size=6).filter(any))
def test_floor_division_is_that_of_python_for_any_window(whole):
    expected = in_words_of_the_definition(whole, lambda value, peak: value // peak)
    frames = Waveform(FLOOR).frames(np.array(whole, np.float32) / 32768)
    np.testing.assert_allclose(frames[:, 0], expected, atol=1e-6)


def test_what_16_bits_would_not_keep_is_not_negative():
    window = np.array([0.5, -1e-6, 1e-6, 0, 0, 0], np.float32)
    assert Waveform(FLOOR).frames(window)[1, 0] == pytest.approx(-0.95)  # 0 - 0.95 * 1


@pytest.mark.parametrize("spec", [FLOAT, FLOOR], ids=["float", "py2_floor"])
def test_silence_stays_silence(spec):
    assert not Waveform(spec).frames(np.zeros(6, np.float32)).any()


@given(st.floats(0.01, 100))
def test_loudness_makes_no_difference(gain):
    louder = Waveform(FLOAT).frames(np.float32(gain) * WINDOW)
    np.testing.assert_allclose(louder, Waveform(FLOAT).frames(WINDOW), atol=1e-5)


@pytest.mark.parametrize("samples", [0, 5, 7])
def test_it_takes_one_whole_window_and_nothing_else(samples):
    with pytest.raises(InputError, match=f"samples of a window: got {samples}, expected 6"):
        Waveform(FLOAT).frames(np.zeros(samples, np.float32))


def test_it_is_for_its_own_kind():
    with pytest.raises(InputError, match="got log_mel, expected waveform"):
        Waveform(LOG_MEL)


def test_a_front_end_is_found_by_its_kind():
    clip = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert clip_front_end(WAVEFORM).frames(clip).shape == (16_000, 1)
    assert clip_front_end(replace(LOG_MEL, clip_samples=16_000)).frames(clip).shape == (98, 64, 1)
