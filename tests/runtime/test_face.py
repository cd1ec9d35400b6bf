"""What is known of a face."""

import json

import numpy as np
import pytest

from voxtoon.face import Face
from voxtoon.warp import warp


@pytest.fixture
def face(mean_landmarks):
    texture = np.random.default_rng(0).random((224, 224, 3), dtype=np.float32)
    landmarks = (mean_landmarks + 2).astype(np.float32)
    return Face(
        feature=np.zeros(8, np.float32), landmarks=landmarks, texture=texture, mean_landmarks=mean_landmarks
    )


def test_the_image_is_the_warped_texture_made_once(face):
    np.testing.assert_array_equal(face.image, warp(face.texture, face.landmarks, face.mean_landmarks))
    assert face.image is face.image


@pytest.mark.parametrize(("confidence", "confident"), [(0.0, False), (0.29, False), (0.3, True), (1.0, True)])
def test_a_face_is_shown_from_the_floor_on(face, confidence, confident):
    from dataclasses import replace

    assert replace(face, confidence=confidence).is_confident is confident


def test_a_face_is_told_as_json_without_its_pixels(face):
    told = json.loads(json.dumps(face.to_json()))
    assert set(told) == {
        "confidence",
        "confidence_floor",
        "reason",
        "speech_s",
        "narrowband",
        "geometry",
        "landmarks",
    }
    assert np.shape(told["landmarks"]) == (68, 2)


def test_no_label_of_a_person_is_anywhere_in_a_face(face):
    words = " ".join([*vars(face), *face.to_json(), str(face.to_json()["reason"])])
    assert not {"gender", "sex", "age", "ethnicity", "race", "identity", "name"} & set(words.split())
