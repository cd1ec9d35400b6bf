"""Which windows of a voice are remembered, with a detector that takes loud for speech and a tiny encoder."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.listener import KEPT_S, Listener
from voxtoon.speech import SpeechDetector
from voxtoon.speech_gate import SpeechGate

RATE_HZ = 16_000
CLIP_SAMPLES = 62 * 512  # about two seconds
KEPT_WINDOWS = KEPT_S * RATE_HZ // CLIP_SAMPLES
STRETCH_S = 0.032


def loud_is_speech(inputs):
    loud = np.abs(inputs["input"][0, 64:]).mean() > 0.1
    return {"output": np.array([[float(loud)]], np.float32), "next_memory": inputs["memory"]}


def encode(clip):
    return np.array([clip.mean(), np.abs(clip).max()], np.float32)


def listener_of(clip_samples):
    gate = SpeechGate(SpeechDetector(loud_is_speech), threshold=0.5)
    return Listener(gate=gate, encode=encode, clip_samples=clip_samples)


@pytest.fixture
def listener():
    return listener_of(CLIP_SAMPLES)


def window(level, *, speech_s=2.0):
    """A window of speech at a level, then silence."""
    samples = np.zeros(CLIP_SAMPLES, np.float32)
    samples[: int(speech_s * RATE_HZ)] = level
    return samples


def hear(listener, *pieces):
    listener.reset()
    for piece in pieces:
        listener.push(piece)
    return listener.heard()


def test_one_window_is_its_own_feature(listener):
    heard = hear(listener, window(0.5))
    np.testing.assert_allclose(heard.feature, [0.5, 0.5])
    assert heard.speech_s == pytest.approx(2.0, abs=STRETCH_S)
    assert heard.sound_s == pytest.approx(2.0, abs=0.03)


def test_an_unfinished_window_is_repeated_up_to_a_clip(listener):
    ramp = np.linspace(0.2, 0.8, 20_000, dtype=np.float32)
    heard = hear(listener, ramp)
    np.testing.assert_allclose(heard.feature, encode(np.resize(ramp, CLIP_SAMPLES)))


def test_windows_count_by_their_speech(listener):
    heard = hear(listener, window(0.4, speech_s=2.0), window(0.8, speech_s=1.0))
    assert heard.feature[1] == pytest.approx((2 * 0.4 + 1 * 0.8) / 3, abs=0.01)


def test_the_windows_with_most_speech_are_kept(listener):
    rich = [window(level) for level in np.linspace(0.3, 0.7, KEPT_WINDOWS)]
    poor = [window(0.9, speech_s=1.5)] * 3
    expected = hear(listener, *rich).feature
    np.testing.assert_allclose(hear(listener, *poor, *rich, *poor).feature, expected, atol=0.01)


def test_of_equal_windows_the_first_are_kept(listener):
    early, late = window(0.4), window(0.8)
    heard = hear(listener, *[early] * KEPT_WINDOWS, *[late] * 10)
    assert heard.feature[1] == pytest.approx(0.4)
    assert heard.speech_s == pytest.approx((KEPT_WINDOWS + 10) * CLIP_SAMPLES / RATE_HZ)


def test_a_little_speech_counts_only_where_there_is_no_more(listener):
    little, more = window(0.9, speech_s=0.5), window(0.3)
    assert hear(listener, little).feature[1] == pytest.approx(0.9)
    assert hear(listener, little, more).feature[1] == pytest.approx(0.3)


def test_where_nobody_speaks_there_is_a_feature_of_no_speech(listener):
    quiet = np.full(CLIP_SAMPLES + 5_000, 0.05, np.float32)
    heard = hear(listener, quiet)
    np.testing.assert_allclose(heard.feature, [0.05, 0.05], rtol=1e-5)
    assert heard.speech_s == 0.0
    assert heard.sound_s == pytest.approx(len(quiet) / RATE_HZ, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.6]), st.integers(1, 30_000)), min_size=1, max_size=6),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 2_000),
)
def test_any_cut_hears_the_same(pieces, sizes):
    listener = listener_of(32_000)
    signal = np.concatenate([np.full(length, level, np.float32) for level, length in pieces])
    whole = hear(listener, signal)
    listener.reset()
    start = turn = 0
    while start < len(signal):
        listener.push(signal[start : start + sizes[turn % len(sizes)]])
        start += sizes[turn % len(sizes)]
        turn += 1
    cut = listener.heard()
    np.testing.assert_array_equal(cut.feature, whole.feature)
    np.testing.assert_array_equal(cut.descriptor, whole.descriptor)
    assert (cut.speech_s, cut.sound_s, cut.narrowband) == (whole.speech_s, whole.sound_s, whole.narrowband)


def short_listener():
    """Windows of one second."""
    return listener_of(RATE_HZ)


def test_short_windows_are_kept_for_as_long_as_long_ones():
    """The mean goes over half a minute: of a first half that is quieter all is remembered."""
    quiet, loud = np.full(RATE_HZ, 0.2, np.float32), np.full(RATE_HZ, 0.6, np.float32)
    heard = hear(short_listener(), *[quiet] * (KEPT_S // 2), *[loud] * (KEPT_S // 2), *[loud] * 10)
    assert heard.feature[1] == pytest.approx(0.4, abs=0.05)


def test_half_a_short_window_of_speech_is_enough_to_count():
    half, full = np.zeros(RATE_HZ, np.float32), np.full(RATE_HZ, 0.2, np.float32)
    half[: int(0.6 * RATE_HZ)] = 0.8
    little = np.zeros(RATE_HZ, np.float32)
    little[: int(0.3 * RATE_HZ)] = 0.9
    weight = 0.6 / 1.6
    heard = hear(short_listener(), half, full, little)
    assert heard.feature[1] == pytest.approx(weight * 0.8 + (1 - weight) * 0.2, abs=0.03)
