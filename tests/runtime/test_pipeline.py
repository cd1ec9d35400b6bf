"""From samples to a face, by a bundle with random weights and a real speech detector."""

import numpy as np
import pytest

from voxtoon import InputError, open_bundle
from voxtoon.front_end import LOG_MEL, FrontEnd, tile_clip

RATE_HZ = 16_000
CLIP_SAMPLES = 96_000


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    with open_bundle(tiny_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def pipeline(bundle):
    return bundle.pipeline()


@pytest.fixture(scope="module")
def voice(sample_voice):
    return sample_voice.samples


def encoded(bundle, clip):
    frames = FrontEnd(LOG_MEL).frames(clip)[np.newaxis]
    return bundle.session("encoder").run({"frames": frames})["feature"][0]


def test_a_voice_becomes_a_face(pipeline, voice):
    face = pipeline.reconstruct(voice, sample_rate=RATE_HZ)
    assert face.feature.shape == (8,)
    assert face.landmarks.shape == face.mean_landmarks.shape == (68, 2)
    assert face.texture.shape == face.image.shape == (224, 224, 3)
    assert face.speech_s > 3
    assert face.confidence == 1.0
    assert face.reason == "ok"


def test_a_clip_of_up_to_six_seconds_is_tiled_and_encoded_as_the_paper_does(pipeline, bundle, voice):
    short = voice[:50_000]
    tiled = short[np.arange(CLIP_SAMPLES) % len(short)]
    np.testing.assert_array_equal(pipeline.feature(short, sample_rate=RATE_HZ), encoded(bundle, tiled))


def test_longer_speech_is_averaged_over_its_windows_by_their_speech(pipeline, bundle, voice):
    first = tile_clip(voice, clip_samples=CLIP_SAMPLES)
    quiet_half = np.concatenate([voice[::-1][:48_000], np.zeros(48_000, np.float32)])
    speech_s = [pipeline.reconstruct(clip, sample_rate=RATE_HZ).speech_s for clip in (first, quiet_half)]
    both = pipeline.reconstruct(np.concatenate([first, quiet_half]), sample_rate=RATE_HZ)
    expected = np.average([encoded(bundle, clip) for clip in (first, quiet_half)], axis=0, weights=speech_s)
    # The detector has heard the first window before the second, so the weights differ a little.
    np.testing.assert_allclose(both.feature, expected, atol=0.02)
    assert both.speech_s == pytest.approx(sum(speech_s), abs=0.7)


def test_windows_without_speech_do_not_count(pipeline, voice):
    clip = tile_clip(voice, clip_samples=CLIP_SAMPLES)
    hum = (0.1 * np.sin(2 * np.pi * 100 * np.arange(2 * CLIP_SAMPLES) / RATE_HZ)).astype(np.float32)
    with_hum = pipeline.feature(np.concatenate([clip, hum]), sample_rate=RATE_HZ)
    np.testing.assert_allclose(with_hum, pipeline.feature(clip, sample_rate=RATE_HZ), atol=1e-6)


def test_only_five_windows_of_a_long_call_count(pipeline, voice):
    clip = tile_clip(voice, clip_samples=CLIP_SAMPLES)
    half = np.where(np.arange(CLIP_SAMPLES) < 32_000, clip[::-1], 0).astype(np.float32)
    five = np.tile(clip, 5)
    with_halves = np.concatenate([half, half, five])
    np.testing.assert_allclose(
        pipeline.feature(with_halves, sample_rate=RATE_HZ),
        pipeline.feature(five, sample_rate=RATE_HZ),
        atol=1e-5,
    )


@pytest.mark.parametrize("block_samples", [1_000, 65_536, 200_000])
def test_blocks_give_the_face_of_the_whole(pipeline, voice, block_samples):
    long = np.tile(voice, 3)
    whole = pipeline.reconstruct(long, sample_rate=44_100)
    blocks = (long[i : i + block_samples] for i in range(0, len(long), block_samples))
    pieces = pipeline.reconstruct_blocks(blocks, sample_rate=44_100)
    np.testing.assert_array_equal(pieces.image, whole.image)
    assert pieces.speech_s == whole.speech_s


def test_int16_is_taken_for_what_it_is(pipeline, voice):
    whole = np.round(voice * 32_767).astype(np.int16)
    np.testing.assert_allclose(
        pipeline.feature(whole, sample_rate=RATE_HZ),
        pipeline.feature(whole.astype(np.float32) / 32_768, sample_rate=RATE_HZ),
    )


def test_a_telephone_line_is_noticed(pipeline, voice):
    from voxtoon.resample import resample

    narrow = resample(voice, from_hz=16_000, to_hz=8_000)
    assert pipeline.reconstruct(narrow, sample_rate=8_000).narrowband
    assert not pipeline.reconstruct(voice, sample_rate=16_000).narrowband


def test_exaggeration_is_about_the_mean_feature(pipeline):
    feature = np.arange(8, dtype=np.float32)
    plain, double = (pipeline.decode(feature, exaggeration=value) for value in (0.0, 1.0))
    np.testing.assert_allclose(double.feature, 2 * feature - np.float32(0.1), atol=1e-6)
    np.testing.assert_array_equal(plain.feature, feature)
    np.testing.assert_allclose(
        pipeline.decode(np.full(8, 0.1), exaggeration=5.0).landmarks,
        pipeline.decode(np.full(8, 0.1)).landmarks,
        atol=1e-4,
    )


def test_exaggeration_needs_a_mean_feature(changed_bundle):
    def forget(manifest):
        manifest["face"].update(mean_feature=None, feature_std=None)

    with open_bundle(changed_bundle(forget)) as bundle:
        pipeline = bundle.pipeline()
        assert pipeline.decode(np.zeros(8)).confidence == 1.0
        with pytest.raises(InputError, match="stores no mean feature"):
            pipeline.decode(np.zeros(8), exaggeration=0.7)


@pytest.mark.parametrize(
    ("feature", "exaggeration", "message"),
    [
        (np.zeros((1, 8)), 0.0, "feature: got shape"),
        (np.full(8, np.nan), 0.0, "finite numbers"),
        (np.zeros(8), np.inf, "exaggeration: got inf"),
        (np.zeros(7), 0.5, "feature: got shape"),
    ],
)
def test_wrong_features_are_refused(pipeline, feature, exaggeration, message):
    with pytest.raises(InputError, match=message):
        pipeline.decode(feature, exaggeration=exaggeration)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(0.2, "too_little_speech"), (0.9, "too_little_speech")],
)
def test_too_little_speech_has_no_confidence(pipeline, voice, seconds, reason):
    face = pipeline.reconstruct(voice[16_000 : 16_000 + int(seconds * RATE_HZ)], sample_rate=RATE_HZ)
    assert (face.confidence, face.reason) == (0.0, reason)
    assert np.isfinite(face.image).all()


def test_silence_has_no_confidence(pipeline):
    face = pipeline.reconstruct(np.zeros(CLIP_SAMPLES, np.float32), sample_rate=RATE_HZ)
    assert (face.confidence, face.reason, face.speech_s) == (0.0, "too_little_speech", 0.0)


def test_noise_is_not_speech(pipeline):
    noise = np.random.default_rng(0).normal(0, 0.1, CLIP_SAMPLES).astype(np.float32)
    face = pipeline.reconstruct(noise, sample_rate=RATE_HZ)
    assert (face.confidence, face.reason) == (0.0, "not_speech")


def test_a_domain_lowers_the_confidence_of_strange_voices(changed_bundle, voice):
    def far_away(manifest):
        manifest["domain"] = {
            "descriptor": "log_mel_mean_std",
            "mean": [100.0] * 40,
            "whitener": np.eye(40).tolist(),
            "distance_p50": 1.0,
            "distance_p99": 2.0,
        }

    with open_bundle(changed_bundle(far_away)) as bundle:
        face = bundle.pipeline().reconstruct(voice, sample_rate=RATE_HZ)
    assert (face.confidence, face.reason) == (0.0, "unlike_training")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(voice_activity=None), "no part that finds speech"),
        (
            lambda manifest: manifest["face"]["warp"].update(order=2),
            "order of the bundle's warp: got 2, expected 1",
        ),
        (lambda manifest: manifest["front_end"].update(sample_rate_hz=22_050), "got 22050, expected 16000"),
        (
            lambda manifest: manifest.update(
                domain={
                    "descriptor": "unknown",
                    "mean": [0.0],
                    "whitener": [[1.0]],
                    "distance_p50": 1.0,
                    "distance_p99": 2.0,
                }
            ),
            "descriptor of the bundle's domain",
        ),
    ],
)
def test_a_bundle_of_another_kind_is_refused_when_the_pipeline_is_made(changed_bundle, change, message):
    with open_bundle(changed_bundle(change)) as bundle, pytest.raises(InputError, match=message):
        bundle.pipeline()


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(0, np.float32), 16_000, "too short"),
        (np.zeros(1, np.float32), 16_000, "too short"),
        (np.zeros((16_000, 2), np.float32), 16_000, "one dimension"),
        (np.full(16_000, np.nan, np.float32), 16_000, "NaN or infinity"),
        (np.zeros(16_000, np.float32), 3_999, "sample rate"),
        (np.full(16_000, 20_000.0), 16_000, "far beyond full scale"),
    ],
)
def test_samples_that_are_no_recording_are_refused(pipeline, samples, rate, message):
    with pytest.raises(InputError, match=message):
        pipeline.reconstruct(samples, sample_rate=rate)


def test_blocks_that_hold_nothing_are_refused(pipeline):
    with pytest.raises(InputError, match="too short"):
        pipeline.reconstruct_blocks([], sample_rate=16_000)


def test_the_five_lines_of_the_readme(tiny_bundle, voice, tmp_path):
    import voxtoon

    with voxtoon.open_bundle(tiny_bundle) as bundle:
        face = bundle.pipeline().reconstruct(voice, sample_rate=RATE_HZ)
    voxtoon.draw_avatar(face).save(tmp_path / "caller.svg")
    assert (tmp_path / "caller.svg").stat().st_size > 1_000


def test_every_public_name_is_there():
    import voxtoon

    assert all(getattr(voxtoon, name) is not None for name in voxtoon.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'draw'"):
        _ = voxtoon.draw


def test_speech_is_found_in_the_precision_that_the_detector_has(changed_bundle, voice):
    """A precision that is asked for by name is asked of the model, whose detector has float32 alone."""

    def rename(manifest):
        for artefact in manifest["artefacts"]:
            if artefact["part"] != "voice_activity":
                artefact["precision"] = "int8-unverified"

    with open_bundle(changed_bundle(rename)) as bundle:
        face = bundle.pipeline(precision="int8-unverified").reconstruct(voice, sample_rate=RATE_HZ)
    assert face.speech_s > 3
