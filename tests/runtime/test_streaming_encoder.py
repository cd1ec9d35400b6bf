"""A stream of frames through explicit state, with a step small enough to write down in numpy."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.errors import InputError
from voxtoon.streaming_encoder import StreamedSession, StreamingEncoder, StreamingSpec

KERNEL, STRIDE = 5, 2
WEIGHTS = np.array([0.5, -1.0, 2.0, 0.25, 1.5], np.float32)
SHAPE = (3, 2)


def weighted_sums(frames):
    """Every output that these frames hold, offline."""
    starts = range(0, len(frames) - KERNEL + 1, STRIDE)
    made = [np.tensordot(WEIGHTS, frames[start : start + KERNEL], axes=1) for start in starts]
    return np.array(made, np.float32).reshape(-1, *SHAPE)


class Step:
    """A weighted sum over five frames, every second frame: the contract of ``encoder_step`` in numpy."""

    engine, precision = "numpy", "fp32"
    input_types: ClassVar = dict.fromkeys(("frames", "position", "past"), np.dtype(np.float32))

    def __init__(self, size):
        self.size, self.outputs = size, size // STRIDE
        newest = KERNEL + (self.outputs - 1) * STRIDE
        self.lead = -newest % size
        self.lag = (self.lead + KERNEL - STRIDE + STRIDE - 1) // STRIDE
        self.kept = self.lag * STRIDE - self.lead
        self.failing = False

    def run(self, inputs):
        if self.failing:
            raise RuntimeError("the engine failed")
        seen = np.concatenate([inputs["past"][0], inputs["frames"][0]])
        index = inputs["position"] * self.outputs + np.arange(self.outputs) - self.lag
        return {
            "trunk": weighted_sums(seen)[np.newaxis, : self.outputs],
            "valid": (index >= 0).astype(np.float32)[np.newaxis],
            "next_position": inputs["position"] + 1,
            "next_past": seen[np.newaxis, len(seen) - self.kept :],
        }

    def spec(self):
        return StreamingSpec(
            frames_per_step=self.size,
            lead_frames=self.lead,
            first_output_frames=KERNEL,
            stride_frames=STRIDE,
            frame_shape=SHAPE,
            output_shape=SHAPE,
            states={"position": (1,), "past": (1, self.kept, *SHAPE)},
        )


class Head:
    """The mean as it is, so that a feature tells what was averaged."""

    engine, precision = "numpy", "fp32"
    runs = 0

    def run(self, inputs):
        self.runs += 1
        return {"feature": inputs["mean"].reshape(1, -1)}


@pytest.fixture(params=[2, 4, 10], ids=lambda size: f"{size} frames a call")
def step(request):
    return Step(request.param)


@pytest.fixture
def stream(step):
    return StreamingEncoder(step, Head(), step.spec())


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


@settings(deadline=None)
@given(
    size=st.sampled_from([2, 4, 10]), length=st.integers(0, 60), cuts=st.lists(st.integers(0, 60), max_size=8)
)
def test_outputs_and_feature_do_not_depend_on_the_chunks(size, length, cuts):
    step, frames = Step(size), noise(length)
    stream = StreamingEncoder(step, Head(), step.spec())
    outputs = [
        stream.push(frames[start:stop])
        for start, stop in pairwise(sorted([0, *(min(cut, length) for cut in cuts), length]))
    ]
    found, expected = np.concatenate(outputs), weighted_sums(frames)

    assert 0 <= len(expected) - len(found) < step.outputs
    np.testing.assert_array_equal(found, expected[: len(found)])
    assert (stream.state.frames, stream.state.count) == (length, len(found))
    if len(expected):
        np.testing.assert_allclose(stream.feature(), expected.mean(axis=0).ravel(), rtol=0, atol=1e-6)


def test_the_feature_can_be_asked_for_at_any_moment(stream):
    frames = noise(40)
    stream.push(frames[: KERNEL - 1])
    for count in range(KERNEL, 41):
        stream.push(frames[count - 1 : count])
        expected = weighted_sums(frames[:count]).mean(axis=0).ravel()
        np.testing.assert_allclose(stream.feature(), expected, rtol=0, atol=1e-6)


def test_asking_changes_nothing(stream):
    stream.push(noise(31))
    before = stream.state

    np.testing.assert_array_equal(stream.feature(), stream.feature())
    assert stream.state is before


def test_a_feature_is_computed_once_however_often_it_is_asked_for():
    step, head = Step(STRIDE), Head()
    stream = StreamingEncoder(step, head, step.spec())
    stream.push(noise(25))  # the 25th frame completes an output, and the 27th will complete the next
    first = stream.feature()
    runs = head.runs
    stream.push(noise(1, seed=3))
    first[:] = np.nan  # the caller's to spoil
    again = stream.feature()

    assert head.runs == runs
    assert np.isfinite(again).all()
    stream.push(noise(1, seed=4))
    assert not np.array_equal(stream.feature(), again)


def test_what_was_asked_for_earlier_or_by_a_clone_is_not_mistaken_for_it(stream):
    frames = noise(60)
    stream.push(frames[:30])
    before, feature, clone = stream.state, stream.feature(), stream.clone()
    clone.push(frames[30:])
    stream.push(noise(30, seed=4))
    other = stream.feature()

    assert not np.array_equal(other, feature)
    assert not np.array_equal(clone.feature(), other)
    stream.state = before
    np.testing.assert_array_equal(stream.feature(), feature)


def test_too_few_frames_for_a_feature(stream):
    stream.push(noise(KERNEL - 1))

    with pytest.raises(InputError, match="too short for a feature: got 4 frames, expected at least 5"):
        stream.feature()


def test_after_a_flush_another_stream_begins(stream):
    stream.push(noise(33, seed=1))
    stream.flush()
    stream.push(noise(20, seed=2))

    expected = weighted_sums(noise(20, seed=2)).mean(axis=0).ravel()
    np.testing.assert_allclose(stream.flush(), expected, rtol=0, atol=1e-6)
    assert stream.state.frames == 0


def test_a_flush_that_fails_keeps_the_stream(stream):
    stream.push(noise(KERNEL - 1))
    with pytest.raises(InputError):
        stream.flush()
    assert stream.state.frames == KERNEL - 1


def test_reset_forgets(stream):
    stream.push(noise(33))
    stream.reset()
    np.testing.assert_array_equal(stream.push(noise(20)), weighted_sums(noise(20))[: stream.state.count])


def test_a_clone_goes_its_own_way(stream):
    frames = noise(50)
    stream.push(frames[:23])
    clone = stream.clone()
    clone.push(noise(17, seed=8))
    again = stream.clone()

    np.testing.assert_array_equal(again.push(frames[23:]), stream.push(frames[23:]))
    np.testing.assert_array_equal(again.feature(), stream.feature())


def test_a_stream_can_be_rolled_back(stream):
    frames = noise(50)
    first = stream.push(frames[:23])
    before = stream.state
    stream.push(np.full((9, *SHAPE), 1e6))
    stream.state = before
    found = np.concatenate([first, stream.push(frames[23:])])

    np.testing.assert_array_equal(found, weighted_sums(frames)[: len(found)])


def test_frames_that_are_none_are_refused_and_nothing_is_heard(stream):
    stream.push(noise(11))
    before = stream.state
    with_nan = noise(12)
    with_nan[7, 1, 1] = np.nan
    for bad, why in (
        (with_nan, "not finite"),
        (noise(3)[:, :2], r"got shape \(3, 2, 2\), expected \[n, 3, 2\]"),
        (noise(3)[0], r"shape \(3, 2\)"),
    ):
        with pytest.raises(InputError, match=why):
            stream.push(bad)
    assert stream.state is before


def test_an_engine_that_fails_loses_no_frame(step, stream):
    frames = noise(40)
    first = stream.push(frames[:17])
    step.failing = True
    with pytest.raises(RuntimeError, match="the engine failed"):
        stream.push(frames[17:])
    step.failing = False
    found = np.concatenate([first, stream.push(frames[17:])])

    np.testing.assert_array_equal(found, weighted_sums(frames)[: len(found)])


def test_the_caller_may_use_his_array_again(stream):
    frames, chunk = noise(31), np.empty((1, *SHAPE), np.float32)
    outputs = []
    for frame in frames:
        chunk[0] = frame
        outputs.append(stream.push(chunk))
    np.testing.assert_array_equal(
        np.concatenate(outputs), weighted_sums(frames)[: sum(len(made) for made in outputs)]
    )


def test_what_is_kept_does_not_grow(step, stream):
    def kept_bytes():
        arrays = [stream.state.pending, stream.state.total, *stream.state.states.values()]
        return sum((array if array.base is None else array.base).nbytes for array in arrays)

    sizes = set()
    for seed in range(20):
        stream.push(noise((1 + seed % 5) * 10 * step.size, seed))
        sizes.add(kept_bytes())
    assert len(sizes) == 1


def test_many_streams_share_one_step(step):
    streams = [StreamingEncoder(step, Head(), step.spec()) for _ in range(50)]
    for start in range(0, 42, 7):
        for seed, stream in enumerate(streams):
            stream.push(noise(42, seed)[start : start + 7])
    for seed, stream in enumerate(streams):
        expected = weighted_sums(noise(42, seed)).mean(axis=0).ravel()
        np.testing.assert_allclose(stream.feature(), expected, rtol=0, atol=1e-6)


def test_step_and_head_can_stand_in_for_the_encoder(step):
    session, frames = StreamedSession(step, Head(), step.spec()), noise(47)
    expected = weighted_sums(frames).mean(axis=0).reshape(1, -1)

    for _ in range(2):  # nothing is left of the clip before
        found = session.run({"frames": frames[np.newaxis]})
        assert found.keys() == {"feature"}
        np.testing.assert_allclose(found["feature"], expected, rtol=0, atol=1e-6)
    assert (session.engine, session.precision) == (step.engine, step.precision)
