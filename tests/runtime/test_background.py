"""A call on a thread of its own: who pushes never waits, and nobody else's mistake stops it."""

import threading

import numpy as np
import pytest

from voxtoon import InputError, open_bundle
from voxtoon.background import BackgroundCall

RATE_HZ = 16_000
CHUNK = 1_600


@pytest.fixture(scope="module")
def pipeline(streaming_bundle):
    with open_bundle(streaming_bundle) as bundle:
        yield bundle.pipeline()


@pytest.fixture(scope="module")
def chunks(sample_voice):
    voice = sample_voice.samples
    return [voice[start : start + CHUNK] for start in range(0, len(voice), CHUNK)]


@pytest.fixture(scope="module")
def expected(pipeline, chunks):
    with pipeline.stream(sample_rate=RATE_HZ) as call:
        updates = [update for chunk in chunks for update in call.push(chunk)]
        return [*updates, call.flush()]


def hear(pipeline, chunks, **options):
    """Updates and errors of a call that is heard to its end."""
    updates, errors = [], []
    options = {"on_update": updates.append, "on_error": errors.append, "queue_s": 60.0, **options}
    with BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), **options) as call:
        for chunk in chunks:
            call.push(chunk)
        call.flush()
        call.join()
    return updates, errors


def assert_same(updates, expected):
    assert [update.heard_s for update in updates] == pytest.approx([update.heard_s for update in expected])
    for ours, theirs in zip(updates, expected, strict=True):
        np.testing.assert_array_equal(ours.face.feature, theirs.face.feature)
    assert updates[-1].final


def test_it_hears_what_a_call_hears(pipeline, chunks, expected):
    updates, errors = hear(pipeline, chunks)
    assert_same(updates, expected)
    assert errors == []


def test_the_chunk_is_the_callers_again_at_once(pipeline, chunks, expected):
    updates = []
    with BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), on_update=updates.append, queue_s=60.0) as call:
        buffer = np.empty(CHUNK, np.float32)
        for chunk in chunks:
            buffer[: len(chunk)] = chunk
            call.push(buffer[: len(chunk)])
            buffer[:] = 0.9
        call.flush()
        call.join()
    assert_same(updates, expected)


def test_a_listener_that_raises_stops_nothing(pipeline, chunks, expected):
    seen, errors = [], []

    def broken(update):
        seen.append(update)
        raise ValueError("a mistake of the listener's")

    def told(error):
        errors.append(error)
        raise ValueError("another")

    hear(pipeline, chunks, on_update=broken, on_error=told)
    assert_same(seen, expected)
    assert [str(error) for error in errors] == ["a mistake of the listener's"] * len(expected)


def test_a_bad_chunk_is_told_and_the_call_goes_on(pipeline, chunks, expected):
    bad = np.full(CHUNK, np.nan, np.float32)
    updates, errors = hear(pipeline, [*chunks[:20], bad, *chunks[20:]])
    assert "NaN" in str(errors[0])
    assert len(errors) == 1
    assert updates[-1].heard_s == pytest.approx(expected[-1].heard_s + 0.1, abs=0.001)


def test_what_comes_while_the_queue_is_full_is_counted_and_heard_as_silence(pipeline, chunks):
    gate, updates = threading.Event(), []

    def slow(update):
        gate.wait()
        updates.append(update)

    with BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), on_update=slow, queue_s=1.0) as call:
        taken = [call.push(chunk) for chunk in chunks * 2]
        assert not all(taken)
        assert call.dropped_s == pytest.approx(0.1 * taken.count(False), abs=0.01)
        gate.set()
        call.join()
        call.push(chunks[0])
        call.flush()
        call.join()
    assert updates[-1].heard_s == pytest.approx(0.1 * (len(taken) + 1), abs=0.01)


def test_a_closed_call_takes_nothing_and_leaves_no_thread(pipeline, chunks):
    before = threading.active_count()
    call = BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), on_update=print, queue_s=60.0)
    for chunk in chunks:
        call.push(chunk)
    call.close()
    call.close()
    assert threading.active_count() == before
    with pytest.raises(InputError, match="the call is closed"):
        call.push(chunks[0])


def test_it_can_be_closed_by_its_own_listener(pipeline, chunks):
    done = threading.Event()

    def once(update):
        call.close()
        done.set()

    call = BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), on_update=once, queue_s=60.0)
    for chunk in chunks:
        try:
            call.push(chunk)
        except InputError:  # it was faster
            break
    assert done.wait(30)


def test_a_queue_of_nothing_is_refused(pipeline):
    with pytest.raises(InputError, match="queue_s: got 0"):
        BackgroundCall(pipeline.stream(sample_rate=RATE_HZ), on_update=print, queue_s=0)
