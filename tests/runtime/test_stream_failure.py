"""Calls beside each other: an engine that fails, threads that push at once, one model for all."""

import threading

import numpy as np
import pytest

from tests.runtime.calls import RATE_HZ, faces_of, hear
from voxtoon import CheckError, open_bundle


class Failing:
    """A session that fails from a certain run on."""

    engine, precision = "onnx", "fp32"

    def __init__(self, session, *, after):
        self.session, self.left = session, after
        self.input_types = session.input_types

    def run(self, inputs):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("out of memory")
        return self.session.run(inputs)


@pytest.mark.parametrize("part", ["encoder_step", "head", "decoder", "voice_activity"])
def test_an_engine_that_fails_fails_its_call_and_no_other(streaming_bundle, call, part):
    with open_bundle(streaming_bundle) as bundle:
        pipeline = bundle.pipeline()
        other = pipeline.stream(sample_rate=RATE_HZ)
        other.push(call[:20_000])
        sound = bundle.session(part)
        with pytest.MonkeyPatch.context() as patch:
            real = bundle.session
            failing = Failing(sound, after=2)
            for opener in ("_open", "_open_any"):
                patch.setattr(pipeline, opener, lambda name: failing if name == part else real(name))
            stream = pipeline.stream(sample_rate=RATE_HZ)
            with pytest.raises(CheckError, match="failed in the middle of a call: got out of memory"):
                stream.push(call)
            assert stream.state == "failed"
            for use in (lambda: stream.push(call[:8]), stream.flush):
                with pytest.raises(CheckError, match=r"failed in the middle of this call; reset\(\)"):
                    use()
            failing.left = 10**6
            stream.reset()
            assert stream.state == "listening"
            again = faces_of([*stream.push(call), stream.flush()])
        other.push(call[20_000:])
        np.testing.assert_array_equal(other.flush().face.feature, again[-1].feature)


def test_pushes_from_many_threads_are_all_heard(streaming, call):
    stream = streaming.stream(sample_rate=RATE_HZ)
    chunks = [call[start : start + 400] for start in range(0, len(call), 400)]

    def push(offset):
        for chunk in chunks[offset::8]:
            stream.push(chunk)

    threads = [threading.Thread(target=push, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.flush().heard_s == pytest.approx(len(call) / RATE_HZ, abs=1e-4)


def test_calls_in_many_threads_are_each_heard_as_if_alone(pipeline, call, faces):
    found = {}

    def listen(number):
        found[number] = hear(pipeline, call, [700 + 90 * number])

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for heard in found.values():
        np.testing.assert_array_equal(heard[-1].feature, faces[-1].feature)
    assert len(found) == 6


def test_fifty_calls_at_once_load_each_part_once(streaming_bundle, call):
    with open_bundle(streaming_bundle) as bundle:
        pipeline = bundle.pipeline()
        calls = [pipeline.stream(sample_rate=RATE_HZ) for _ in range(50)]
        updates = [stream.push(call[:20_000]) for stream in calls]
        loaded = [part for part, *_ in bundle._sessions]
    assert all(updates)
    assert sorted(loaded) == ["decoder", "encoder_step", "head", "voice_activity"]
