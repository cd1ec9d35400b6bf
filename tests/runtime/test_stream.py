"""A call as it goes on, by bundles with random weights and a real speech detector."""

import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon import CheckError, InputError, open_bundle
from voxtoon.pcm import mu_law_table

RATE_HZ = 8_000


@pytest.fixture(scope="module", params=["tiny_bundle", "streaming_bundle"])
def pipeline(request):
    """By windows, and by step and head."""
    with open_bundle(request.getfixturevalue(request.param)) as bundle:
        yield bundle.pipeline()


@pytest.fixture(scope="module")
def streaming(streaming_bundle):
    with open_bundle(streaming_bundle) as bundle:
        yield bundle.pipeline()


@pytest.fixture(scope="module")
def call(sample_voice):
    """Eight seconds of a telephone call: silence, speech, silence, speech, at 8 kHz."""
    from voxtoon.resample import resample

    voice = resample(sample_voice.samples, from_hz=16_000, to_hz=RATE_HZ)
    silence = np.zeros(RATE_HZ, np.float32)
    return np.concatenate([silence, voice[:24_000], silence, voice[24_000:]])


def faces_of(updates):
    return [update.face for update in updates]


def hear(pipeline, call, sizes):
    """Faces of a call that is pushed in chunks of these sizes, over and over."""
    faces = []
    with pipeline.stream(sample_rate=RATE_HZ) as stream:
        start, turn = 0, 0
        while start < len(call):
            faces += faces_of(stream.push(call[start : start + sizes[turn % len(sizes)]]))
            start += sizes[turn % len(sizes)]
            turn += 1
        return [*faces, stream.flush().face]


@pytest.fixture(scope="module")
def faces(pipeline, call):
    return hear(pipeline, call, [len(call)])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 400))
def test_any_chunking_gives_the_same_faces(pipeline, call, faces, sizes):
    chunked = hear(pipeline, call, sizes)
    assert [face.speech_s for face in chunked] == [face.speech_s for face in faces]
    for ours, theirs in zip(chunked, faces, strict=True):
        np.testing.assert_array_equal(ours.feature, theirs.feature)
        np.testing.assert_array_equal(ours.image, theirs.image)
        assert ours.confidence == theirs.confidence


def test_without_streaming_parts_the_last_face_is_the_one_of_the_whole_call(tiny_bundle, call):
    with open_bundle(tiny_bundle) as bundle:
        pipeline = bundle.pipeline()
        whole = pipeline.reconstruct(call, sample_rate=RATE_HZ)
        faces = hear(pipeline, call, [len(call)])
    np.testing.assert_array_equal(faces[-1].image, whole.image)
    assert faces[-1].speech_s == pytest.approx(whole.speech_s, abs=0.1)
    assert faces[-1].confidence == whole.confidence


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


def test_a_bad_chunk_is_refused_and_not_heard(pipeline, call, faces):
    stream = pipeline.stream(sample_rate=RATE_HZ)
    heard = stream.push(call[:20_000])
    with pytest.raises(InputError, match="NaN or infinity"):
        stream.push(np.full(160, np.nan, np.float32))
    heard += [*stream.push(call[20_000:]), stream.flush()]
    np.testing.assert_array_equal(heard[-1].face.feature, faces[-1].feature)


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


def test_an_update_tells_how_far_the_face_moved(pipeline, call):
    updates = pipeline.stream(sample_rate=RATE_HZ).push(call)
    assert updates[0].angle_deg is None
    for before, update in pairwise(updates):
        a, b = before.face.feature, update.face.feature
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert update.angle_deg == pytest.approx(np.degrees(np.arccos(min(cosine, 1.0))), abs=0.1)


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
    from voxtoon.resample import resample

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


@pytest.mark.parametrize("seconds", [1.7, 4.0, 6.0])
def test_a_talk_up_to_a_clip_is_the_face_of_the_recording(streaming_bundle, sample_voice, seconds):
    """What the paper's rule for short clips makes of it, of as many frames as give whole outputs."""
    from voxtoon.front_end import FrontEnd, tile_clip

    talk = sample_voice.samples[: round(16_000 * seconds)]
    with open_bundle(streaming_bundle) as bundle:
        front_end = bundle.manifest.front_end
        with bundle.pipeline().stream(sample_rate=16_000) as stream:
            stream.push(talk)
            got = stream.flush().face.feature
        frames = FrontEnd(front_end).frames(tile_clip(talk, clip_samples=front_end.clip_samples))
        whole = frames[: len(frames) // 64 * 64]
        expected = bundle.session("encoder").run({"frames": whole[np.newaxis]})["feature"][0]
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["dtmf", "ring_back", "busy", "plucked", "sustained", "band", "white_noise"])
def test_what_is_no_voice_gives_no_face(streaming, name):
    from recipes.line_sounds import RATE_HZ as SOUND_RATE_HZ
    from recipes.line_sounds import SOUNDS

    sound = SOUNDS[name](np.random.default_rng(1), 12.0)
    with streaming.stream(sample_rate=SOUND_RATE_HZ) as stream:
        assert stream.push(sound) == []
        update = stream.flush()
    assert update.state == "listening"
    assert update.face.reason == "not_speech"
    assert update.face.confidence == 0.0


def test_without_the_parts_for_a_precision_a_call_is_heard_by_windows(
    streaming_bundle, rewrite_manifest, tmp_path
):
    import shutil

    from voxtoon.listener import Listener
    from voxtoon.talk_listener import TalkListener

    folder = tmp_path / "whole.voxtoon"
    shutil.copytree(streaming_bundle, folder)

    def half_precision_encoder(manifest):
        manifest["artefacts"] += [
            {"part": part, "format": "onnx", "precision": "fp16", "file": f"{part}.fp32.onnx"}
            for part in ("encoder", "decoder")
        ]

    rewrite_manifest(folder, half_precision_encoder)
    with open_bundle(folder) as bundle:
        assert isinstance(bundle.pipeline(precision="fp32").call_listener(), TalkListener)
        assert isinstance(bundle.pipeline(precision="fp16").call_listener(), Listener)


def test_a_telephone_line_is_noticed(streaming, call, sample_voice):
    narrow = streaming.stream(sample_rate=RATE_HZ).push(call)
    wide = streaming.stream(sample_rate=16_000).push(sample_voice.samples)
    assert narrow[-1].face.narrowband
    assert not wide[-1].face.narrowband
