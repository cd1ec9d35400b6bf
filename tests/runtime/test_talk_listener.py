"""A call heard as talks, against the rule computed from the whole recording, with a real front end."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.front_end import LOG_MEL, FrontEnd, tile_clip
from voxtoon.speech import SpeechDetector
from voxtoon.speech_gate import RUN_STRETCHES, SpeechGate
from voxtoon.streaming_encoder import StreamingEncoder, StreamingSpec
from voxtoon.talk_listener import MARGIN_STRETCHES, TalkListener

RATE_HZ = 16_000
STRETCH = 512
SEEN_CALLS = 3
CALL_FRAMES = 32
SEEN_FRAMES = SEEN_CALLS * CALL_FRAMES  # 0.98 s
SEEN_STRETCHES = -(-((SEEN_FRAMES - 1) * 160 + 400) // STRETCH)
CLIP_SAMPLES = LOG_MEL.clip_samples


class Step:
    """An output is the mean over three calls of 32 frames: the contract of ``encoder_step`` in numpy."""

    engine, precision = "numpy", "fp32"
    input_types: ClassVar = dict.fromkeys(("frames", "past", "position"), np.dtype(np.float32))
    calls = 0

    def run(self, inputs):
        self.calls += 1
        mean = inputs["frames"].mean(axis=1, keepdims=True)
        past = np.concatenate([inputs["past"], mean], axis=1)
        position = inputs["position"]
        return {
            "trunk": past.mean(axis=1, keepdims=True),
            "valid": (position[:, None] >= SEEN_CALLS - 1).astype(np.float32),
            "next_past": past[:, 1:],
            "next_position": np.minimum(position + 1, SEEN_CALLS),
        }


class Head:
    """The mean as it is."""

    engine, precision = "numpy", "fp32"

    def run(self, inputs):
        return {"feature": inputs["mean"].reshape(1, -1)}


SPEC = StreamingSpec(
    frames_per_step=CALL_FRAMES,
    lead_frames=0,
    first_output_frames=SEEN_FRAMES,
    stride_frames=CALL_FRAMES,
    frame_shape=(64, 1),
    output_shape=(64, 1),
    states={"past": (1, SEEN_CALLS - 1, 64, 1), "position": (1,)},
)


def loud_is_speech(inputs):
    loud = np.abs(inputs["input"][0, 64:]).mean() > 0.05
    return {"output": np.array([[float(loud)]], np.float32), "next_memory": inputs["memory"]}


def listener_with(step):
    gate = SpeechGate(SpeechDetector(loud_is_speech), threshold=0.5)
    return TalkListener(gate=gate, front_end=FrontEnd(LOG_MEL), encoder=StreamingEncoder(step, Head(), SPEC))


@pytest.fixture
def step():
    return Step()


@pytest.fixture
def listener(step):
    return listener_with(step)


def sound(seconds, level=0.2, seed=0):
    """Noise whose colour moves, so that every stretch of it is another."""
    count = round(seconds * RATE_HZ / STRETCH) * STRETCH
    noise = np.random.default_rng(seed).standard_normal(count)
    sweep = np.sin(2 * np.pi * np.cumsum(300 + 200 * np.sin(np.arange(count) / 9_000)) / RATE_HZ)
    return (level * (sweep + 0.3 * noise)).astype(np.float32)


def quiet(seconds, seed=9):
    return sound(seconds, 1e-4, seed)


def outputs_of(frames):
    """Every output of the encoder on a whole recording."""
    starts = range(0, len(frames) - SEEN_FRAMES + 1, CALL_FRAMES)
    return np.array([frames[start : start + SEEN_FRAMES].mean(axis=0) for start in starts]).reshape(-1, 64)


def frames_of(samples):
    return FrontEnd(LOG_MEL).frames(samples)


def by_the_rule(signal):
    """The feature by the documented rule, from the whole recording at once."""
    stretches = signal[: len(signal) // STRETCH * STRETCH].reshape(-1, STRETCH)
    counts = SpeechGate(SpeechDetector(loud_is_speech), threshold=0.5).push(signal)
    certain = np.flatnonzero(counts)
    total, weight, last = np.zeros(64), 0.0, 0
    for talk in np.split(certain, np.flatnonzero(np.diff(certain) > SEEN_STRETCHES) + 1):
        first = max(last, talk[0] - (RUN_STRETCHES - 1) - MARGIN_STRETCHES)
        last = min(len(stretches), talk[-1] + 1 + SEEN_STRETCHES)
        for number, output in enumerate(outputs_of(frames_of(stretches[first:last].ravel()))):
            end_sample = (number * CALL_FRAMES + SEEN_FRAMES - 1) * 160 + 400
            end = -(-end_sample // STRETCH)
            spoken = counts[first:last][max(0, end - SEEN_STRETCHES) : end].sum()
            share = min(1.0, spoken / SEEN_STRETCHES)
            total += share**2 * output
            weight += share**2
    return total / weight


def hear(listener, signal, sizes=(4_000,)):
    listener.reset()
    start = turn = 0
    while start < len(signal):
        listener.push(signal[start : start + sizes[turn % len(sizes)]])
        start += sizes[turn % len(sizes)]
        turn += 1
    return listener.heard()


@pytest.mark.parametrize("seconds", [6.0, 10.0])
def test_speech_of_a_clip_or_longer_is_the_encoder_on_it(listener, seconds):
    signal = sound(seconds)
    expected = outputs_of(frames_of(signal)).mean(axis=0)
    np.testing.assert_allclose(hear(listener, signal).feature, expected, atol=1e-5)


@pytest.mark.parametrize("length", [8_000, 20_001, 60_000, 95_000])
def test_shorter_speech_is_repeated_up_to_a_clip(listener, length):
    signal = sound(6.0)[:length]
    clip = tile_clip(signal, clip_samples=CLIP_SAMPLES)
    np.testing.assert_allclose(
        hear(listener, signal).feature, outputs_of(frames_of(clip)).mean(axis=0), atol=1e-5
    )


def test_the_silence_around_a_short_talk_is_not_repeated_with_it(listener):
    margin = MARGIN_STRETCHES * STRETCH
    speech = sound(1.5)
    call = np.concatenate([quiet(5.0), speech, quiet(0.8)])
    start = len(quiet(5.0))
    talk = call[start - margin : start + len(speech) + margin]
    expected = outputs_of(frames_of(tile_clip(talk, clip_samples=CLIP_SAMPLES))).mean(axis=0)
    np.testing.assert_allclose(hear(listener, call).feature, expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_call_of_talks_and_pauses_is_what_the_rule_makes_of_the_whole_recording(listener, seed):
    generator = np.random.default_rng(seed)
    pieces = [quiet(generator.uniform(0, 3))]
    for turn in range(6):
        pieces.append(sound(generator.uniform(0.5, 7), seed=10 * seed + turn))
        pieces.append(quiet(generator.uniform(0.1, 3), seed=turn))
    call = np.concatenate([*pieces, quiet(3)])
    np.testing.assert_allclose(hear(listener, call).feature, by_the_rule(call), atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1e-4, 0.2]), st.floats(0.05, 2.5)), min_size=1, max_size=6),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 3_000),
)
def test_any_cut_hears_the_same(pieces, sizes):
    signal = np.concatenate([sound(length, level, seed) for seed, (level, length) in enumerate(pieces)])
    signal = np.concatenate([signal, np.zeros(3, np.float32)])
    whole = hear(listener_with(Step()), signal, [len(signal)])
    cut = hear(listener_with(Step()), signal, sizes)
    np.testing.assert_array_equal(cut.feature, whole.feature)
    np.testing.assert_array_equal(cut.descriptor, whole.descriptor)
    assert (cut.speech_s, cut.sound_s, cut.narrowband) == (whole.speech_s, whole.sound_s, whole.narrowband)


def test_a_pause_costs_nothing_but_the_detector(listener, step):
    hear(listener, np.concatenate([sound(2.0), quiet(2.0)]))
    calls = step.calls
    listener.push(quiet(60.0))
    assert step.calls == calls
    listener.push(sound(2.0, seed=3))
    assert step.calls > calls


def test_each_frame_is_computed_once(listener, step):
    signal = sound(30.0)
    listener.push(signal)
    assert step.calls == len(frames_of(signal)) // CALL_FRAMES


def test_what_is_too_short_to_be_speech_is_silence(listener):
    blip = sound(1.0)[: (RUN_STRETCHES - 1) * STRETCH]
    heard = hear(listener, np.concatenate([quiet(1.0), blip, quiet(2.0)]))
    assert heard.speech_s == 0.0
    assert heard.sound_s == pytest.approx((RUN_STRETCHES - 1) * 0.032)


def test_where_nobody_spoke_there_is_the_feature_of_silence(listener):
    feature = hear(listener, quiet(8.0)).feature
    np.testing.assert_allclose(feature, frames_of(np.zeros(2_000, np.float32))[0, :, 0], atol=1e-6)


def test_what_is_kept_does_not_grow(listener):
    def kept_bytes():
        arrays = [
            listener._pending,
            listener._clip,
            *listener._margin,
            *listener._encoder.state.states.values(),
        ]
        return sum((array if array.base is None else array.base).nbytes for array in arrays)

    sizes = set()
    for _ in range(5):
        listener.push(np.concatenate([sound(8.0), quiet(3.0)]))
        sizes.add(kept_bytes())
    assert len(sizes) == 1
