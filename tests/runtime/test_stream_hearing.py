"""What a call is heard as: the recording of its speech, windows where the parts are missing, or no voice."""

import shutil

import numpy as np
import pytest

from recipes.line_sounds import RATE_HZ as SOUND_RATE_HZ
from recipes.line_sounds import SOUNDS
from tests.runtime.calls import RATE_HZ, hear
from voxtoon import open_bundle
from voxtoon.front_end import FrontEnd, tile_clip
from voxtoon.listener import Listener
from voxtoon.talk_listener import TalkListener


@pytest.mark.parametrize("seconds", [1.7, 4.0, 6.0])
def test_a_talk_up_to_a_clip_is_the_face_of_the_recording(streaming_bundle, sample_voice, seconds):
    """What the paper's rule for short clips makes of it, of as many frames as give whole outputs."""
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


def test_without_streaming_parts_the_last_face_is_the_one_of_the_whole_call(tiny_bundle, call):
    with open_bundle(tiny_bundle) as bundle:
        pipeline = bundle.pipeline()
        whole = pipeline.reconstruct(call, sample_rate=RATE_HZ)
        faces = hear(pipeline, call, [len(call)])
    np.testing.assert_array_equal(faces[-1].image, whole.image)
    assert faces[-1].speech_s == pytest.approx(whole.speech_s, abs=0.1)
    assert faces[-1].confidence == whole.confidence


def test_without_the_parts_for_a_precision_a_call_is_heard_by_windows(
    streaming_bundle, rewrite_manifest, tmp_path
):
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


@pytest.mark.parametrize("name", ["dtmf", "ring_back", "busy", "plucked", "sustained", "band", "white_noise"])
def test_what_is_no_voice_gives_no_face(streaming, name):
    sound = SOUNDS[name](np.random.default_rng(1), 12.0)
    with streaming.stream(sample_rate=SOUND_RATE_HZ) as stream:
        assert stream.push(sound) == []
        update = stream.flush()
    assert update.state == "listening"
    assert update.face.reason == "not_speech"
    assert update.face.confidence == 0.0


def test_a_telephone_line_is_noticed(streaming, call, sample_voice):
    narrow = streaming.stream(sample_rate=RATE_HZ).push(call)
    wide = streaming.stream(sample_rate=16_000).push(sample_voice.samples)
    assert narrow[-1].face.narrowband
    assert not wide[-1].face.narrowband


def test_another_voice_on_the_line_is_said_once(streaming, sample_voice):
    """To this encoder, whose outputs are mean spectra, a voice without what is below 1 kHz is another."""
    voice = sample_voice.samples
    spectrum = np.fft.rfft(voice)
    spectrum[np.fft.rfftfreq(len(voice), 1 / 16_000) < 1_000] = 0
    other = np.fft.irfft(spectrum, len(voice)).astype(np.float32)
    with streaming.stream(sample_rate=16_000) as stream:
        updates = stream.push(np.concatenate([other, other, voice, voice]))
    heard_s = [update.heard_s for update in updates if update.second_voice]
    assert len(heard_s) == 1
    assert 12.0 < heard_s[0] < 16.0
