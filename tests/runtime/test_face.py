"""What is known of a face."""

import json

import numpy as np
import pytest

from voxtoon.errors import CheckError
from voxtoon.face import Face, decoded_face
from voxtoon.manifest import FaceShape, Head, Warp
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


FEATURE = np.zeros(8, np.float32)
HEAD = Head(left=0.2, right=0.8, brows=0.3, chin=0.9)
PICTURE = np.random.default_rng(1).random((1, 64, 64, 3), dtype=np.float32)


@pytest.fixture
def landmark_shape(mean_landmarks):
    points = tuple(map(tuple, mean_landmarks.tolist()))
    warp_numbers = Warp(order=1, regularisation=0.2, boundary_points_per_edge=2)
    return FaceShape(image_size_px=224, topology="ibug68", mean_landmarks=points, warp=warp_numbers)


def test_a_decoder_that_draws_gives_its_picture_as_the_face():
    face = decoded_face(FEATURE, {"image": PICTURE}, FaceShape(image_size_px=64, head=HEAD))
    np.testing.assert_array_equal(face.image, PICTURE[0])
    assert (face.geometry, face.landmarks, face.head) == ("neutral", None, HEAD)
    told = json.loads(json.dumps(face.to_json()))
    assert (told["geometry"], told["landmarks"]) == ("neutral", None)


def test_a_decoder_of_landmarks_and_texture_is_warped_as_the_manifest_says(face, landmark_shape):
    outputs = {"landmarks": face.landmarks[None], "texture": face.texture[None]}
    found = decoded_face(FEATURE, outputs, landmark_shape)
    mean = np.array(landmark_shape.mean_landmarks, np.float32)
    expected = warp(face.texture, face.landmarks, mean, regularisation=0.2, boundary_points_per_edge=2)
    np.testing.assert_array_equal(found.image, expected)
    assert found.geometry == "reconstructed"


@pytest.mark.parametrize("missing", ["landmarks", "texture", "shape"])
def test_what_is_no_face_is_told(face, landmark_shape, missing):
    outputs = {"landmarks": face.landmarks[None], "texture": face.texture[None]}
    outputs.pop(missing, None)
    shape = FaceShape(image_size_px=224) if missing == "shape" else landmark_shape
    with pytest.raises(CheckError, match=r"the decoder makes no face: got .*, expected image, or landmarks"):
        decoded_face(FEATURE, outputs, shape)
