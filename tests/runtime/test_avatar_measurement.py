"""What is measured on a face, on faces painted for the purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon.avatar import MEASUREMENTS, measure, measure_picture
from voxtoon.avatar.measurement import (
    HAIR_MEASUREMENTS,
    SHAPE_MEASUREMENTS,
    cheek_colour,
    cheek_colour_of_picture,
)
from voxtoon.errors import InputError
from voxtoon.manifest import Head

SKIN, HAIR = (0.8, 0.6, 0.5), (0.3, 0.2, 0.15)
FROM_LANDMARKS = tuple(name for name in SHAPE_MEASUREMENTS if name != "brow_weight")


def symmetric_face():
    """A mean shape with every feature where iBUG puts it: 224 px, middle at x = 112."""

    def arc(x0, x1, y, bend, count):
        t = np.linspace(0, 1, count)
        return np.column_stack([x0 + t * (x1 - x0), y + bend * 4 * t * (1 - t)])

    angle = np.linspace(0, np.pi, 17)
    jaw = np.column_stack([112 - 60 * np.cos(angle), 95 + 105 * np.sin(angle)])
    brows = [arc(62, 100, 84, -5, 5), arc(124, 162, 84, -5, 5)]
    nose = [np.column_stack([np.full(4, 112.0), np.linspace(98, 130, 4)]), arc(97, 127, 137, 4, 5)]

    def eye(x):
        return np.array([[-13, 0], [-5, -5], [5, -5], [13, 0], [5, 4], [-5, 4]]) + np.array([x, 102])

    mouth = [arc(91, 133, 162, -7, 7), arc(133, 91, 162, 8, 7)[1:-1]]
    inner = [arc(94, 130, 162, -1, 5), arc(130, 94, 162, 1, 5)[1:-1]]
    return np.concatenate([jaw, *brows, *nose, eye(84), eye(140), *mouth, *inner])


MEAN = symmetric_face()


def painted(*, hair=HAIR, long=False, hairline_y=55, volume_px=0, part_px=0):
    """A head on white: an oval of skin, hair above `hairline_y`, long hair down the sides."""
    y, x = np.mgrid[0:224, 0:224].astype(float)
    image = np.ones((224, 224, 3))
    skull = ((x - 112) / (66 + volume_px)) ** 2 + ((y - 90) / 88) ** 2 < 1
    image[skull] = hair
    if long:
        image[(abs(x - 112) < 95) & (y > 90)] = hair
    face = ((x - 112) / 60) ** 2 + ((y - 105) / 95) ** 2 < 1
    image[face & (y > hairline_y + part_px * np.sign(x - 112))] = SKIN
    return image


def moved(indices, offset):
    landmarks = MEAN.copy()
    landmarks[indices] += offset
    return landmarks


def measured(landmarks=MEAN, **paint):
    return measure(landmarks, painted(**paint), MEAN)


def test_every_measurement_has_its_name_and_is_finite():
    found = measured()
    assert tuple(found) == MEASUREMENTS == SHAPE_MEASUREMENTS + HAIR_MEASUREMENTS
    assert np.isfinite(list(found.values())).all()


@given(scale=st.floats(0.3, 3), roll=st.floats(-0.5, 0.5), x=st.floats(-200, 200), y=st.floats(-200, 200))
def test_position_size_and_roll_of_the_landmarks_do_not_matter(scale, roll, x, y):
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    assert measured(scale * MEAN @ turn + [x, y]) == pytest.approx(measured(), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "indices", "offset"),
    [
        ("face_width", [0, 1, 2], [-4, 0]),
        ("jaw_width", [3, 4, 5], [-4, 0]),
        ("chin_width", [6], [-4, 0]),
        ("chin_length", [7, 8, 9], [0, 4]),
        ("nose_width", [31], [-3, 0]),
        ("nose_length", [31, 32, 33, 34, 35], [0, 3]),
        ("mouth_width", [48, 60], [-4, 0]),
        ("upper_lip", [50, 51, 52], [0, -2]),
        ("lower_lip", [56, 57, 58], [0, 2]),
        ("eye_distance", [36, 37, 38, 39, 40, 41], [-3, 0]),
        ("eye_size", [40, 41, 46, 47], [0, 2]),
        ("brow_height", list(range(17, 27)), [0, -3]),
        ("brow_arch", [18, 19, 20, 23, 24, 25], [0, -2]),
    ],
)
def test_moving_the_landmarks_of_a_feature_moves_its_measurement(name, indices, offset):
    assert measured(moved(indices, offset))[name] > measured()[name] + 1e-3
    assert measured(moved(indices, np.negative(offset)))[name] < measured()[name] - 1e-3


def test_the_texture_does_not_touch_what_landmarks_say_nor_landmarks_the_hair():
    other_hair = measured(long=True, hair=(0.1, 0.1, 0.1))
    assert {name: other_hair[name] for name in FROM_LANDMARKS} == {
        name: measured()[name] for name in FROM_LANDMARKS
    }
    other_nose = measured(moved([31, 35], [0, 5]))
    assert {name: other_nose[name] for name in HAIR_MEASUREMENTS} == {
        name: measured()[name] for name in HAIR_MEASUREMENTS
    }


@pytest.mark.parametrize(
    ("name", "less", "more"),
    [
        ("hair_length", {"long": False}, {"long": True}),
        ("hair_flare", {"volume_px": 12}, {"long": True}),
        ("hair_volume", {"volume_px": 0}, {"volume_px": 12}),
        ("hairline", {"hairline_y": 65}, {"hairline_y": 40}),
        ("hair_part", {"part_px": 8}, {"part_px": -8}),
        ("hair_lightness", {"hair": (0.1, 0.1, 0.1)}, {"hair": (0.6, 0.6, 0.6)}),
        ("hair_warmth", {"hair": (0.3, 0.3, 0.3)}, {"hair": (0.5, 0.3, 0.2)}),
    ],
)
def test_hair_is_read_from_the_texture(name, less, more):
    assert measured(**more)[name] > measured(**less)[name] + 0.02


def test_dark_brows_are_heavy_brows():
    texture = painted()
    bold = texture.copy()
    for x, y in MEAN[17:27].astype(int):
        bold[y - 1 : y + 12, x - 6 : x + 7] *= 0.4
    assert measure(MEAN, bold, MEAN)["brow_weight"] > measure(MEAN, texture, MEAN)["brow_weight"] + 0.1


def test_a_mirrored_face_parts_its_hair_on_the_other_side():
    texture = painted(part_px=8)
    mirror = measure(MEAN, texture[:, ::-1], MEAN)
    straight = measure(MEAN, texture, MEAN)
    assert mirror["hair_part"] == pytest.approx(-straight["hair_part"], abs=0.03)
    assert mirror["hair_lightness"] == pytest.approx(straight["hair_lightness"], abs=0.01)


@pytest.mark.parametrize("texture", [np.ones((224, 224, 3)), np.zeros((224, 224, 3))])
def test_an_empty_texture_is_measured_too(texture):
    assert np.isfinite(list(measure(MEAN, texture, MEAN).values())).all()


def test_the_colour_of_the_cheeks_is_the_skin():
    assert cheek_colour(painted(), MEAN) == "#CC9980"


@pytest.mark.parametrize(
    ("landmarks", "texture", "message"),
    [
        (MEAN[:67], painted(), r"landmarks has the wrong shape: got \(67, 2\), expected \(68, 2\)"),
        (MEAN * np.nan, painted(), "landmarks holds a value that is not finite"),
        (np.zeros((68, 2)), painted(), "landmarks all lie in one point"),
        (MEAN, painted()[..., 0], "texture has the wrong shape"),
        (MEAN, painted() * np.inf, "texture holds a value that is not finite"),
    ],
)
def test_what_is_no_face_is_refused(landmarks, texture, message):
    with pytest.raises(InputError, match=message):
        measure(landmarks, texture, MEAN)


def test_a_face_upside_down_against_its_mean_is_refused():
    with pytest.raises(InputError, match="no upright face"):
        measure(MEAN, painted(), MEAN * [1, -1] + [0, 224])


HEAD = Head(left=52 / 224, right=172 / 224, brows=80 / 224, chin=200 / 224)  # of the painted face
GREEN = (0.2, 0.7, 0.3)


def picture(*, background=GREEN, size_px=224, **paint):
    """A painted face before a background that is not white, perhaps smaller."""
    image = painted(**paint)
    image[(image == 1).all(axis=2)] = background
    step = 224 // size_px
    return image[::step, ::step]


def pictured(**paint):
    return measure_picture(picture(**paint), HEAD)


def test_of_a_picture_the_hair_is_measured_and_nothing_else():
    assert tuple(pictured()) == HAIR_MEASUREMENTS


@pytest.mark.parametrize(
    ("paint", "name"),
    [
        ({"long": True}, "hair_length"),
        ({"volume_px": 25}, "hair_volume"),
        ({"hairline_y": 35}, "hairline"),
        ({"hair": (0.8, 0.7, 0.4)}, "hair_lightness"),
        ({"hair": (0.5, 0.2, 0.05)}, "hair_warmth"),
    ],
)
def test_hair_is_seen_before_any_background(paint, name):
    assert pictured(**paint)[name] > pictured()[name] + 0.02


@pytest.mark.parametrize("background", [GREEN, (1, 1, 1), (0.9, 0.2, 0.8)])
def test_the_background_is_not_the_hair(background):
    np.testing.assert_allclose(
        list(pictured(background=background).values()), list(pictured().values()), atol=0.1
    )


@pytest.mark.parametrize("size_px", [112, 56])
def test_a_smaller_picture_measures_alike(size_px):
    small = list(pictured(size_px=size_px, long=True).values())
    np.testing.assert_allclose(small, list(pictured(long=True).values()), atol=0.1)


def test_cheeks_of_a_picture_are_skin():
    assert cheek_colour_of_picture(picture(), HEAD) == "#CC9980"


@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 2**32 - 1))
def test_any_picture_can_be_measured(height, width, seed):
    image = np.random.default_rng(seed).random((height, width, 3))
    assert all(np.isfinite(list(measure_picture(image, HEAD).values())))


def test_what_is_no_picture_is_refused():
    with pytest.raises(InputError, match="wrong shape"):
        measure_picture(np.zeros((8, 8)), HEAD)
