"""What a call may be made of: every form of samples, rates that change, packets that are lost or late."""

import numpy as np
import pytest

from tests.runtime.calls import RATE_HZ
from voxtoon import InputError
from voxtoon.pcm import mu_law_table
from voxtoon.resample import resample


@pytest.mark.parametrize("kind", ["int16", "s16le", "f32le", "stereo", "interleaved", "mulaw"])
def test_the_same_call_in_any_form_gives_the_same_face(streaming, call, kind):
    codes = mu_law(call)
    whole = np.round(32_768 * mu_law_table()[codes]).astype(np.int16)
    pair = np.column_stack([np.zeros_like(whole), whole])
    options, chunk = {
        "int16": ({}, whole),
        "s16le": ({"encoding": "pcm_s16le"}, whole.astype("<i2").tobytes()),
        "f32le": ({"encoding": "f32le"}, (whole / np.float32(32768)).astype("<f4").tobytes()),
        "stereo": ({"channels": 2, "channel": 1}, pair),
        "interleaved": ({"channels": 2, "channel": 1, "encoding": "s16le"}, pair.astype("<i2").tobytes()),
        "mulaw": ({"encoding": "mulaw"}, codes.tobytes()),
    }[kind]
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        stream.push(whole / np.float32(32768))
        expected = stream.flush().face.feature
    with streaming.stream(sample_rate=RATE_HZ, **options) as stream:
        for start in range(0, len(chunk), 999):
            stream.push(chunk[start : start + 999])
        got = stream.flush().face.feature
    np.testing.assert_array_equal(got, expected)


def mu_law(samples):
    order = np.argsort(mu_law_table(), kind="stable")
    levels = mu_law_table()[order]
    return order[np.searchsorted((levels[1:] + levels[:-1]) / 2, samples)].astype(np.uint8)


def test_a_rate_may_change_in_the_middle_of_a_call(streaming, sample_voice):
    voice = sample_voice.samples
    halves = (voice[:48_000], 16_000), (resample(voice[48_000:], from_hz=16_000, to_hz=48_000), 48_000)
    with streaming.stream(sample_rate=16_000) as stream:
        stream.push(voice)
        expected = stream.flush()
        for samples, rate_hz in halves:
            stream.push(samples, sample_rate=rate_hz)
        got = stream.flush()
    assert got.heard_s == pytest.approx(expected.heard_s, abs=0.001)
    assert got.face.speech_s == pytest.approx(expected.face.speech_s, abs=0.07)
    np.testing.assert_allclose(got.face.feature, expected.face.feature, atol=0.02)


def test_a_rate_that_is_none_is_refused_and_the_call_goes_on(streaming, call):
    stream = streaming.stream(sample_rate=RATE_HZ)
    with pytest.raises(InputError, match="sample rate: got 7 Hz"):
        stream.push(call[:160], sample_rate=7)
    stream.push(call)
    assert stream.heard_s == pytest.approx(len(call) / RATE_HZ, abs=0.2)


def test_what_is_lost_on_the_way_is_heard_as_silence(streaming, call):
    """Packets of 20 ms with their times, one in ten lost."""
    kept = call.copy()
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        for number, start in enumerate(range(0, len(call), 160)):
            if number % 10 == 9:
                kept[start : start + 160] = 0
            else:
                stream.push(call[start : start + 160], at_s=start / RATE_HZ)
        got = stream.flush()
        stream.push(kept[: len(call) // 1600 * 1600 - 160])
        expected = stream.flush()
    assert got.face.speech_s == expected.face.speech_s
    np.testing.assert_array_equal(got.face.feature, expected.face.feature)


def test_what_came_twice_or_late_is_heard_once(streaming, call):
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        stream.push(call)
        expected = stream.flush()
        for start in range(0, len(call), 800):
            stream.push(call[start : start + 800], at_s=start / RATE_HZ)
            stream.push(call[start : start + 400], at_s=start / RATE_HZ)
        got = stream.flush()
    np.testing.assert_array_equal(got.face.feature, expected.face.feature)
    assert got.heard_s == expected.heard_s


def test_a_clock_that_drifts_is_followed(streaming):
    """A clock that is 500 ppm fast for ten minutes is 0.3 s ahead."""
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        chunk = np.zeros(RATE_HZ, np.float32)
        for second in range(600):
            stream.push(chunk, at_s=second * 1.0005)
        assert stream.flush().heard_s == pytest.approx(600.3, abs=0.02)


def test_an_hour_that_is_missing_costs_nothing(streaming, call):
    runs = []
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        detector = stream._listener._gate._detector
        run = detector._run
        detector._run = lambda inputs: (runs.append(1), run(inputs))[1]
        stream.push(call)
        before = len(runs)
        updates = stream.push(call, at_s=3_600.0)
        assert len(runs) < before + 1.5 * len(call) / RATE_HZ / 0.032
    assert updates[0].heard_s > 3_600.0
    assert updates[0].face.speech_s > 6.0


@pytest.mark.parametrize("at_s", [-1.0, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(streaming, at_s):
    with pytest.raises(InputError, match="at_s"):
        streaming.stream(sample_rate=RATE_HZ).push(np.zeros(8, np.float32), at_s=at_s)


def test_a_bad_chunk_is_refused_and_not_heard(pipeline, call, faces):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    heard = stream.push(call[:20_000])
    with pytest.raises(InputError, match="NaN or infinity"):
        stream.push(np.full(160, np.nan, np.float32))
    heard += [*stream.push(call[20_000:]), stream.flush()]
    np.testing.assert_array_equal(heard[-1].face.feature, faces[-1].feature)


def test_bursts_of_nan_are_refused_and_the_call_goes_on_by_its_times(streaming, call):
    expected = call.copy()
    with streaming.stream(sample_rate=RATE_HZ) as stream:
        for start in range(0, len(call), 1_600):
            chunk = call[start : start + 1_600].copy()
            if start % 16_000 == 0:
                chunk[7] = np.nan
                expected[start : start + 1_600] = 0
            try:
                stream.push(chunk, at_s=start / RATE_HZ)
            except InputError:
                assert start % 16_000 == 0
        got = stream.flush()
        stream.push(expected)
        np.testing.assert_array_equal(got.face.feature, stream.flush().face.feature)
