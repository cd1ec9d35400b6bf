"""The figures of quality, each on a change whose size is known."""

from dataclasses import replace

import numpy as np
import pytest

from voxtoon.errors import CheckError
from voxtoon_quantize.faces import Faces
from voxtoon_quantize.quality import Truth, compare

CLIPS = 20


@pytest.fixture
def reference():
    rng = np.random.default_rng(0)
    return Faces(
        features=rng.normal(size=(CLIPS, 16)).astype(np.float32),
        images=rng.random((CLIPS, 112, 112, 3)).astype(np.float32),
        landmarks=rng.random((CLIPS, 68, 2)).astype(np.float32) * 224,
        avatars=rng.uniform(-0.5, 0.5, (CLIPS, 21)).astype(np.float32),
    )


def test_the_same_parts_differ_in_nothing(reference):
    found = compare(reference, reference, Truth(features=reference.features))

    assert found.angle_mean_deg == pytest.approx(0.0, abs=0.03)
    assert (found.psnr_db, found.ssim, found.r2_drop) == (300.0, pytest.approx(1.0), 0.0)
    assert (found.landmark_shift_px, found.avatar_flips, found.retrieval_change_points) == (0.0, 0.0, 0.0)
    assert found.clips == CLIPS


def test_features_turned_by_a_known_angle(reference):
    turned = reference.features.copy()
    across = np.cross(np.eye(3)[0], turned[:, :3])
    across *= np.linalg.norm(turned, axis=1, keepdims=True) / np.linalg.norm(across, axis=1, keepdims=True)
    angles = np.radians(np.linspace(1, 5, CLIPS))[:, None]
    turned = np.cos(angles) * turned
    turned[:, :3] += np.sin(angles) * across

    found = compare(reference, replace(reference, features=turned.astype(np.float32)))
    assert found.angle_mean_deg == pytest.approx(3.0, abs=0.01)
    assert found.angle_p95_deg == pytest.approx(4.8, abs=0.01)


def test_landmarks_moved_by_five_pixels(reference):
    moved = replace(reference, landmarks=reference.landmarks + np.array([3.0, 4.0], np.float32))

    assert compare(reference, moved).landmark_shift_px == pytest.approx(5.0, rel=1e-5)


def test_a_brighter_face_is_so_many_decibels_and_so_much_r2(reference):
    brighter = replace(reference, images=reference.images + np.float32(0.01))
    found = compare(reference, brighter)
    small = reference.images.reshape(CLIPS, 56, 2, 56, 2, 3).mean(axis=(2, 4))

    assert found.psnr_db == pytest.approx(40.0, abs=0.01)
    assert found.r2_drop == pytest.approx(1e-4 / small.var(axis=0).mean(), rel=1e-3)


def test_r2_is_lost_against_published_faces_where_there_are_some(reference):
    published = np.random.default_rng(1).random((CLIPS, 56, 56, 3)).astype(np.float32)
    worse = replace(reference, images=1.0 - reference.images)

    assert compare(reference, worse, Truth(faces=published)).r2_drop != compare(reference, worse).r2_drop


def test_a_parameter_counts_as_another_beyond_an_eighth_of_its_range(reference):
    moved = reference.avatars.copy()
    moved[0, :3] += 0.26
    moved[1, :3] += 0.24

    found = compare(reference, replace(reference, avatars=moved))
    assert found.avatar_flips == pytest.approx(3 / moved.size)


def test_features_of_noise_find_fewer_faces(reference):
    noise = replace(reference, features=-reference.features)

    found = compare(reference, noise, Truth(features=reference.features))
    assert found.retrieval_change_points < -50.0


def test_a_model_without_a_decoder_has_an_angle_and_nothing_else(reference):
    alone = Faces(reference.features, None, None, None)

    assert set(compare(alone, alone).to_json()) == {"clips", "angle_mean_deg", "angle_p95_deg"}


@pytest.mark.parametrize("name", ["features", "images", "landmarks"])
def test_what_is_not_finite_is_no_quality(reference, name):
    broken = getattr(reference, name).copy()
    broken.flat[0] = np.nan

    with pytest.raises(CheckError, match=f"quantized {name}"):
        compare(reference, replace(reference, **{name: broken}))


def test_a_feature_of_zeros_is_no_feature(reference):
    with pytest.raises(CheckError, match="is zero"):
        compare(reference, replace(reference, features=np.zeros_like(reference.features)))
