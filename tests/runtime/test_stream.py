"""A call as it goes on, by bundles with random weights and a real speech detector."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.calls import RATE_HZ, faces_of, hear
from voxtoon import InputError


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 400))
def test_any_chunking_gives_the_same_faces(pipeline, call, faces, sizes):
    chunked = hear(pipeline, call, sizes)
    assert [face.speech_s for face in chunked] == [face.speech_s for face in faces]
    for ours, theirs in zip(chunked, faces, strict=True):
        np.testing.assert_array_equal(ours.feature, theirs.feature)
        np.testing.assert_array_equal(ours.image, theirs.image)
        assert ours.confidence == theirs.confidence


def test_the_first_face_comes_after_a_second_of_speech_then_one_each_half_second(faces):
    heard = [face.speech_s for face in faces[:-1]]
    assert heard[0] == pytest.approx(1.0, abs=0.13)
    np.testing.assert_allclose(np.diff(heard), 0.5, atol=0.13)
    assert len(faces) > 5


def test_confidence_grows_with_speech(faces):
    confidence = [face.confidence for face in faces]
    assert confidence == sorted(confidence)
    assert confidence[0] < 0.5
    assert confidence[-1] == 1.0


def test_updates_come_as_often_as_asked(pipeline, call):
    stream = pipeline.stream(sample_rate=RATE_HZ, first_update_speech_s=2.0, update_every_speech_s=1.0)
    heard = [face.speech_s for face in faces_of(stream.push(call))]
    assert heard[0] == pytest.approx(2.0, abs=0.13)
    np.testing.assert_allclose(np.diff(heard), 1.0, atol=0.13)


def test_the_state_goes_from_listening_to_draft_to_stable(pipeline, call):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    states = []
    for start in range(0, len(call), 160):
        stream.push(call[start : start + 160])
        states.append(stream.state)
    assert list(dict.fromkeys(states)) == ["listening", "draft", "stable"]


def test_an_update_tells_how_far_the_face_moved(pipeline, call):
    updates = pipeline.stream(sample_rate=RATE_HZ).push(call)
    assert updates[0].angle_deg is None
    for before, update in pairwise(updates):
        a, b = before.face.feature, update.face.feature
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert update.angle_deg == pytest.approx(np.degrees(np.arccos(min(cosine, 1.0))), abs=0.1)


def test_silence_gives_nothing_until_the_end(pipeline):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    assert stream.push(np.zeros(5 * RATE_HZ, np.float32)) == []
    assert stream.state == "listening"
    face = stream.flush().face
    assert face.confidence == 0.0
    assert face.reason == "too_little_speech"


def test_a_call_of_nothing_has_no_face(pipeline):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    assert stream.push(np.zeros(0, np.float32)) == []
    assert stream.flush() is None


def test_one_sample_is_a_call(pipeline):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    stream.push(np.zeros(1, np.float32))
    assert stream.flush().face.confidence == 0.0


@pytest.mark.parametrize("forget", ["reset", "flush"])
def test_a_stream_can_be_used_again(pipeline, call, faces, forget):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    stream.push(call[:30_000])
    getattr(stream, forget)()
    again = faces_of([*stream.push(call), stream.flush()])
    for ours, theirs in zip(again, faces, strict=True):
        np.testing.assert_array_equal(ours.feature, theirs.feature)


def test_a_closed_stream_hears_nothing_more(pipeline):
    with pipeline.stream(sample_rate=RATE_HZ) as stream:
        pass
    stream.close()
    with pytest.raises(InputError, match="the stream is closed"):
        stream.push(np.zeros(160, np.float32))
    with pytest.raises(InputError, match="the stream is closed"):
        stream.flush()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"update_every_speech_s": 0}, "update_every_speech_s: got 0"),
        ({"first_update_speech_s": -1}, "first_update_speech_s: got -1"),
        ({"sample_rate": 100}, "sample rate"),
        ({"encoding": "s24le"}, "PCM format: got 's24le'"),
        ({"channels": 2, "channel": 2}, "channel 2: expected 0 to 1"),
    ],
)
def test_wrong_options_are_refused(pipeline, options, message):
    with pytest.raises(InputError, match=message):
        pipeline.stream(**{"sample_rate": RATE_HZ, **options})


def test_memory_does_not_grow_with_the_call(pipeline, call):
    stream = pipeline.stream(sample_rate=RATE_HZ, update_every_speech_s=30.0)

    def held_after(times):
        for _ in range(times):
            stream.push(call)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = held_after(times=5), held_after(times=15)
    finally:
        tracemalloc.stop()
    assert late - early < len(call) * 4 / 2
