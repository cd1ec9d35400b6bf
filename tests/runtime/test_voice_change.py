"""Somebody else begins to speak: outputs that point elsewhere."""

import numpy as np
import pytest

from voxtoon.voice_change import LEAST_PAST_OUTPUTS, RECENT_OUTPUTS, VoiceChange

ONE, OTHER = np.eye(2, 16, dtype=np.float32).reshape(2, 4, 4)


def hear(voices, output, count, *, share=1.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.1, (count, *output.shape)).astype(np.float32)
    for turn in noise:
        voices.add(output + turn, speech_share=share)


@pytest.fixture
def voices():
    return VoiceChange()


def test_one_voice_is_one_voice(voices):
    hear(voices, ONE, 300)
    assert voices.count == 0


def test_another_voice_is_noticed_once(voices):
    hear(voices, ONE, 20)
    hear(voices, OTHER, RECENT_OUTPUTS)
    assert voices.count == 1
    hear(voices, OTHER, 50)
    assert voices.count == 1


def test_so_is_the_first_when_it_comes_back(voices):
    for voice in (ONE, OTHER, ONE):
        hear(voices, voice, 15)
    assert voices.count == 2


def test_too_little_is_known_at_first(voices):
    hear(voices, ONE, LEAST_PAST_OUTPUTS - 1)
    hear(voices, OTHER, 40)
    assert voices.count == 0


def test_what_holds_little_speech_tells_nothing(voices):
    hear(voices, ONE, 20)
    hear(voices, OTHER, 100, share=0.4)
    assert voices.count == 0


def test_what_is_kept_does_not_grow(voices):
    hear(voices, ONE, 100)
    assert len(voices._recent) == RECENT_OUTPUTS
    assert voices._past.shape == (16,)
