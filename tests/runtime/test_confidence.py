"""How far a face is trusted: by how much speech was heard, and by how near it is to the training voices."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon import InputError
from voxtoon.confidence import (
    CONFIDENCE_FLOOR,
    Confidence,
    confidence,
    domain_descriptor,
    fit_domain,
    sound_seconds,
)

RATE_HZ = 16_000
TIME_S = np.arange(6 * RATE_HZ) / RATE_HZ
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "published_reconstructions"


def tone(*frequencies_hz, level=0.2):
    return level * np.sum([np.sin(2 * np.pi * hz * TIME_S) for hz in frequencies_hz], axis=0)


def on_off(signal, *, on_s, period_s):
    return np.where(TIME_S % period_s < on_s, signal, 0)


NOT_VOICES = {
    "white noise": np.random.default_rng(0).normal(0, 0.1, len(TIME_S)),
    "a low hum": tone(50, 100, 150),
    "a test tone": tone(1000),
    "a ringback tone": on_off(tone(425), on_s=1, period_s=4),
    "touch tones": on_off(tone(770, 1336), on_s=0.15, period_s=0.25),
    "a chord": tone(220, 277, 330, 440, 554, 660) * np.exp(-3 * (TIME_S % 0.5)),
    "clicks": np.where(np.random.default_rng(1).random(len(TIME_S)) < 1e-2, 0.8, 0),
    "silence": np.zeros(len(TIME_S)),
}


@pytest.mark.parametrize(
    ("speech_s", "value"),
    [(0.0, 0.0), (0.96, 0.0), (0.992, 0.3976), (1.0, 0.4), (2.0, 0.7), (3.0, 1.0), (3600.0, 1.0)],
)
def test_confidence_grows_from_one_second_of_speech_to_three(speech_s, value):
    assert confidence(speech_s=speech_s, sound_s=speech_s).value == pytest.approx(value)


@pytest.mark.parametrize(("distance", "value"), [(0, 1.0), (10, 1.0), (15, 0.5), (20, 0.0), (1e9, 0.0)])
def test_confidence_falls_beyond_the_distance_that_the_training_voices_keep(distance, value):
    assert confidence(speech_s=6, sound_s=6, distance=distance, distance_p99=10).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ({"speech_s": 6.0, "sound_s": 6.0}, "ok"),
        ({"speech_s": 0.5, "sound_s": 0.9}, "too_little_speech"),
        ({"speech_s": 0.0, "sound_s": 0.0}, "too_little_speech"),
        ({"speech_s": 0.2, "sound_s": 5.0}, "not_speech"),
        ({"speech_s": 6.0, "sound_s": 6.0, "distance": 19.0, "distance_p99": 10.0}, "unlike_training"),
        ({"speech_s": 6.0, "sound_s": 6.0, "distance": 11.0, "distance_p99": 10.0}, "ok"),
    ],
)
def test_the_reason_says_why_a_face_is_not_shown(heard, reason):
    assert confidence(**heard).reason == reason


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_confidence_is_between_0_and_1_and_ok_means_above_the_floor(speech_s, other_s, distance, p99):
    found = confidence(speech_s=speech_s, sound_s=speech_s + other_s, distance=distance, distance_p99=p99)
    assert isinstance(found, Confidence)
    assert 0 <= found.value <= 1
    assert (found.reason == "ok") == (found.value >= CONFIDENCE_FLOOR)


def test_the_descriptor_does_not_depend_on_the_level(sample_voice):
    loud = domain_descriptor(sample_voice.samples)
    assert loud.shape == (40,)
    np.testing.assert_allclose(domain_descriptor(sample_voice.samples * np.float32(0.01)), loud, atol=1e-3)


def test_the_descriptor_hardly_depends_on_the_bandwidth(sample_voice):
    from voxtoon.resample import resample

    narrow = resample(resample(sample_voice.samples, from_hz=16_000, to_hz=8_000), from_hz=8_000)
    wide = domain_descriptor(sample_voice.samples)
    assert np.abs(domain_descriptor(narrow) - wide).max() < 0.1


@pytest.mark.parametrize("samples", [np.zeros(400), np.zeros(96_000), np.ones(400)])
def test_the_descriptor_of_nothing_is_finite(samples):
    assert np.isfinite(domain_descriptor(samples)).all()


def test_sound_is_what_is_louder_than_silence():
    signal = np.concatenate([np.zeros(RATE_HZ), tone(440)[: 2 * RATE_HZ], np.full(RATE_HZ, 1e-4)])
    assert sound_seconds(signal) == pytest.approx(2.0, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 1000))
def test_distances_are_of_unit_scale_and_at_most_one_voice_in_a_hundred_is_far(voices, size, seed):
    cloud = np.random.default_rng(seed).normal(3, 5, (voices, size))
    domain = fit_domain(cloud)
    distances = [domain.distance(voice) for voice in cloud]
    assert domain.distance(domain.mean) == 0
    assert np.count_nonzero(np.array(distances) > domain.distance_p99 + 1e-9) <= 1
    assert np.mean(np.square(distances)) <= size + 1e-6


def test_few_voices_on_a_line_can_still_be_fitted():
    domain = fit_domain(np.outer([1.0, 2.0, 3.0], np.ones(40)))
    assert np.isfinite(domain.whitener).all()
    assert domain.distance(np.full(40, 2.0) + np.eye(40)[0]) > domain.distance(np.full(40, 3.0)) / 10


@pytest.mark.parametrize("descriptors", [np.zeros((1, 40)), np.zeros(40), np.zeros((0, 40))])
def test_one_voice_is_no_domain(descriptors):
    with pytest.raises(InputError, match="two voices or more"):
        fit_domain(descriptors)


@pytest.fixture(scope="module")
def pipeline(tiny_bundle):
    from voxtoon import open_bundle

    with open_bundle(tiny_bundle) as bundle:
        yield bundle.pipeline()


@pytest.mark.parametrize("name", NOT_VOICES)
def test_what_is_no_voice_has_no_confidence(pipeline, name):
    face = pipeline.reconstruct(NOT_VOICES[name].astype(np.float32), sample_rate=RATE_HZ)
    assert face.confidence < CONFIDENCE_FLOOR
    assert face.reason == ("too_little_speech" if name == "silence" else "not_speech")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real voices of ../shared/data are not here")
def test_real_voices_are_confident_and_near_one_another(pipeline):
    from voxtoon.audio import read_audio

    with (DATA / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    clips = [read_audio(DATA / "audio" / f"{row['clip']}.flac").samples for row in rows[::7]]
    domain = fit_domain([domain_descriptor(clip) for clip in clips[20:]])
    unseen = clips[:20]
    near = [domain.distance(domain_descriptor(clip)) <= 1.5 * domain.distance_p99 for clip in unseen]
    trusted = [
        pipeline.reconstruct(clip, sample_rate=RATE_HZ).confidence >= CONFIDENCE_FLOOR for clip in unseen
    ]
    assert sum(near) >= 18
    assert sum(trusted) >= 19
