"""From a face to the parameters of its cartoon, and what is drawn when a face is not to be trusted."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.avatar import (
    DEFAULT_GAIN,
    MEASUREMENTS,
    NEUTRAL,
    AvatarParameters,
    AvatarStatistics,
    avatar_parameters,
    draw_avatar,
    measure,
    measure_picture,
    picture_parameters,
)
from voxtoon.avatar.evaluate import evaluate_colours
from voxtoon.avatar.measurement import HAIR_MEASUREMENTS
from voxtoon.avatar.parameters import LEAST_COLOUR_STD, LEAST_SHAPE_STD
from voxtoon.errors import InputError
from voxtoon.manifest import Head

FLOOR = 0.3
number = st.floats(-1, 1)
anything = st.builds(
    AvatarParameters, **dict.fromkeys(MEASUREMENTS, number), skin=st.sampled_from(["mist", "#12aBcD"])
)


@pytest.fixture(scope="module")
def faces(mean_landmarks):
    """Twelve faces: the mean shape shaken, and textures of random squares."""
    generator = np.random.default_rng(3)

    def face():
        squares = generator.uniform(0, 1, (14, 14, 3))
        return {
            "landmarks": mean_landmarks + generator.normal(0, 1, (68, 2)),
            "texture": np.kron(squares, np.ones((16, 16, 1))),
            "mean_landmarks": mean_landmarks,
        }

    return [face() for _ in range(12)]


@pytest.fixture(scope="module")
def statistics(faces):
    return AvatarStatistics.of([measure(**face) for face in faces])


@pytest.fixture(scope="module")
def parameters_of(statistics):
    def parameters(face, *, confidence=1.0, **options):
        return avatar_parameters(
            **face, statistics=statistics, confidence=confidence, confidence_floor=FLOOR, **options
        )

    return parameters


def test_a_parameter_is_the_clipped_number_of_standard_deviations_times_the_gain(
    faces, statistics, parameters_of
):
    drawn, measured = parameters_of(faces[0]).numbers(), measure(**faces[0])
    for name in MEASUREMENTS:
        deviation = (measured[name] - statistics.mean[name]) / statistics.std[name]
        assert drawn[name] == pytest.approx(np.clip(DEFAULT_GAIN * deviation, -2.5, 2.5) / 2.5)


def test_different_faces_are_drawn_differently(faces, parameters_of):
    assert len({parameters_of(face) for face in faces}) == len(faces)


@pytest.mark.parametrize("confidence", [0.0, FLOOR - 1e-6, float("nan")])
@pytest.mark.parametrize("skin", ["neutral", "reconstructed"])
def test_below_the_floor_every_face_is_the_neutral_avatar(faces, parameters_of, confidence, skin):
    assert all(parameters_of(face, confidence=confidence, skin=skin) == NEUTRAL for face in faces)


def test_the_less_certain_the_closer_to_neutral_without_a_jump_at_the_floor(faces, parameters_of):
    sizes = [
        np.abs(list(parameters_of(faces[0], confidence=confidence).numbers().values())).sum()
        for confidence in (FLOOR, FLOOR + 1e-3, 0.4, 0.6, 0.8, 1.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert sizes[1] < 0.01 * sizes[-1]


def test_without_gain_the_avatar_is_neutral_and_with_gain_it_leaves_the_mean(faces, parameters_of):
    assert parameters_of(faces[0], gain=0) == NEUTRAL
    mild, strong = (parameters_of(faces[0], gain=gain).numbers() for gain in (0.5, 2))
    assert all(abs(strong[name]) >= abs(mild[name]) for name in MEASUREMENTS)


@pytest.mark.parametrize("skin", ["neutral", "cocoa", "#c0ffee"])
def test_the_skin_is_not_taken_from_the_face_unless_asked_for(faces, parameters_of, skin):
    assert {parameters_of(face, skin=skin).skin for face in faces} == {skin}
    assert len({parameters_of(face, skin="reconstructed").skin for face in faces}) > 1


def test_by_default_only_the_colours_of_hair_and_brows_depend_on_the_face(faces, parameters_of):
    palettes = [evaluate_colours(parameters_of(face)) for face in faces]
    neutral = evaluate_colours(NEUTRAL)
    changed = {slot for palette in palettes for slot in palette if palette[slot] != neutral[slot]}
    assert changed == {"hair", "hair_back", "hair_shine", "brow"}


def test_with_neutral_hair_no_colour_and_no_hair_depends_on_the_face(faces, parameters_of):
    drawn = [parameters_of(face, hair="neutral") for face in faces]
    assert all(parameters.numbers()[name] == 0 for parameters in drawn for name in HAIR_MEASUREMENTS)
    assert {tuple(evaluate_colours(parameters).items()) for parameters in drawn} == {
        tuple(evaluate_colours(NEUTRAL).items())
    }


def test_what_never_varies_says_nothing(faces, statistics):
    constant = AvatarStatistics(mean=statistics.mean, std={**statistics.std, "jaw_width": 0.0})
    drawn = avatar_parameters(**faces[0], statistics=constant, confidence=1, confidence_floor=FLOOR)
    assert drawn.jaw_width == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hair": "long"}, "hair: got 'long', expected reconstructed or neutral"),
        ({"gain": -1}, "gain: got -1, expected 0 or more"),
        ({"gain": float("nan")}, "gain: got nan"),
        ({"skin": "green"}, "skin: got 'green', expected neutral, .* or #RRGGBB"),
        ({"skin": "#12345"}, "skin: got '#12345'"),
    ],
)
@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_an_unknown_option_is_refused_whatever_the_confidence(
    faces, parameters_of, options, message, confidence
):
    with pytest.raises(InputError, match=message):
        parameters_of(faces[0], confidence=confidence, **options)


@given(anything)
@settings(max_examples=50)
def test_parameters_survive_json(parameters):
    assert AvatarParameters.from_json(json.loads(json.dumps(parameters.to_json()))) == parameters


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"jaw": 0}, "unknown avatar parameters: got jaw"),
        ({"jaw_width": 1.5}, "avatar parameter jaw_width: got 1.5, expected a number from -1 to 1"),
        ({"jaw_width": float("nan")}, "got nan"),
        ({"jaw_width": "wide"}, "got 'wide'"),
        ({"skin": 3}, "skin: got 3"),
    ],
)
def test_parameters_that_cannot_be_drawn_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        AvatarParameters.from_json(data)


def test_left_out_parameters_are_neutral():
    assert AvatarParameters.from_json({}) == NEUTRAL


def test_statistics_survive_json(statistics):
    assert AvatarStatistics.from_json(json.loads(json.dumps(statistics.to_json()))) == statistics


def test_statistics_are_the_mean_and_deviation_of_each_measurement(faces, statistics):
    table = np.array([list(measure(**face).values()) for face in faces])
    assert list(statistics.mean.values()) == pytest.approx(table.mean(axis=0))
    assert list(statistics.std.values()) == pytest.approx(table.std(axis=0))


def test_a_deviation_too_small_to_be_seen_is_raised_and_none_stays_none(statistics):
    std = {**statistics.std, "chin_width": 0.0009, "hair_part": 0.0051, "jaw_width": 0.0}
    raised = AvatarStatistics(mean=statistics.mean, std=std).with_least_std()
    assert raised.std == {**std, "chin_width": LEAST_SHAPE_STD, "hair_part": LEAST_COLOUR_STD}
    assert raised.mean == statistics.mean


def test_faces_that_hardly_differ_have_the_least_deviation(faces):
    one = measure(**faces[0])
    other = {**one, "chin_width": one["chin_width"] + 0.0004}
    assert AvatarStatistics.of([one, other]).std["chin_width"] == LEAST_SHAPE_STD


def test_statistics_that_do_not_fit_are_refused(faces, statistics):
    short = {name: value for name, value in statistics.mean.items() if name != "hairline"}
    with pytest.raises(InputError, match="mean: missing or unknown: got hairline"):
        AvatarStatistics(mean=short, std=statistics.std)
    with pytest.raises(InputError, match="std of jaw_width: got -1"):
        AvatarStatistics(mean=statistics.mean, std={**statistics.std, "jaw_width": -1})
    with pytest.raises(InputError, match="expected mean, std"):
        AvatarStatistics.from_json({"mean": {}})
    with pytest.raises(InputError, match="need faces: got 1"):
        AvatarStatistics.of([measure(**faces[0])])


def test_a_face_is_drawn_by_its_own_statistics_and_confidence(faces, statistics, parameters_of):
    face = SimpleNamespace(
        **faces[0], picture=None, confidence=0.7, confidence_floor=FLOOR, avatar_statistics=statistics
    )
    assert draw_avatar(face, gain=2, skin="sage").parameters == parameters_of(
        faces[0], confidence=0.7, gain=2, skin="sage"
    )


def test_a_face_without_statistics_says_so(faces):
    face = SimpleNamespace(**faces[0], confidence=1.0, confidence_floor=FLOOR, avatar_statistics=None)
    with pytest.raises(InputError, match="no avatar statistics"):
        draw_avatar(face)


HEAD = Head(left=0.2, right=0.8, brows=0.3, chin=0.9)
PICTURE = np.random.default_rng(0).random((64, 64, 3))


def of_picture(statistics, **options):
    chosen = {"picture": PICTURE, "head": HEAD, "confidence": 1.0, "confidence_floor": FLOOR, **options}
    return picture_parameters(statistics=statistics, **chosen)


def test_a_picture_moves_the_hair_and_leaves_the_shape(statistics):
    measured = measure_picture(PICTURE, HEAD)
    numbers = of_picture(statistics, gain=1).numbers()
    for name, value in numbers.items():
        expected = 0.0
        if name in HAIR_MEASUREMENTS:
            expected = (
                np.clip((measured[name] - statistics.mean[name]) / statistics.std[name], -2.5, 2.5) / 2.5
            )
        assert value == pytest.approx(expected)


def test_a_picture_keeps_the_responsible_defaults(statistics):
    assert of_picture(statistics).skin == "neutral"
    assert of_picture(statistics, confidence=FLOOR / 2) == NEUTRAL
    assert of_picture(statistics, hair="neutral") == NEUTRAL
    assert of_picture(statistics, skin="reconstructed").skin.startswith("#")
    with pytest.raises(InputError, match="hair"):
        of_picture(statistics, hair="curly")


def test_a_picture_of_unknown_place_is_drawn_neutral(statistics):
    assert of_picture(statistics, head=None, skin="reconstructed") == NEUTRAL


def test_a_face_of_nothing_is_not_drawn(statistics):
    nothing = SimpleNamespace(
        landmarks=None,
        texture=None,
        mean_landmarks=None,
        picture=None,
        confidence=1.0,
        confidence_floor=FLOOR,
        avatar_statistics=statistics,
    )
    with pytest.raises(InputError, match="neither picture nor landmarks"):
        draw_avatar(nothing)
