"""What counts as speech of what the detector takes for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voxtoon.speech import SpeechDetector
from voxtoon.speech_gate import RUN_STRETCHES, SpeechGate


def loud_is_speech(inputs):
    return {
        "output": np.array([[inputs["input"][0, 64:].mean()]], np.float32),
        "next_memory": inputs["memory"],
    }


def gate():
    return SpeechGate(SpeechDetector(loud_is_speech), threshold=0.5)


def signal(spoken):
    return np.repeat(np.array(spoken, np.float32), 512)


def runs(spoken):
    cuts = np.flatnonzero(np.diff(np.concatenate([[0], spoken, [0]])))
    return cuts[1::2] - cuts[::2]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_runs_count_whole_and_short_ones_not_at_all(spoken):
    counts = gate().push(signal(spoken))
    assert counts.sum() == sum(length for length in runs(spoken) if length >= RUN_STRETCHES)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 2_000))
def test_any_cut_counts_the_same(spoken, size):
    whole, pieces = gate().push(signal(spoken)), gate()
    samples = signal(spoken)
    cut = [pieces.push(samples[start : start + size]) for start in range(0, len(samples), size)]
    np.testing.assert_array_equal(np.concatenate(cut), whole)


def test_a_run_is_certain_at_its_fourth_stretch():
    assert gate().push(signal([0, 1, 1, 1, 1, 1, 0, 1])).tolist() == [0, 0, 0, 0, 4, 1, 0, 0]


def test_after_a_reset_a_run_begins_anew():
    one = gate()
    one.push(signal([1, 1, 1]))
    one.reset()
    assert one.push(signal([1, 1, 1])).tolist() == [0, 0, 0]
