"""The template language, and what each parameter does to the drawing."""

import json
import math
import re
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon.avatar import MEASUREMENTS, NEUTRAL, AvatarParameters
from voxtoon.avatar.evaluate import evaluate, evaluate_colours, evaluate_points
from voxtoon.avatar.template import load_template, parse_template
from voxtoon.errors import InputError

SOURCE = json.loads((files("voxtoon.avatar") / "template.json").read_text(encoding="utf-8"))
COLOUR = re.compile(r"#[0-9A-F]{6}")

number = st.floats(-1, 1)
parameters = st.builds(AvatarParameters, **dict.fromkeys(MEASUREMENTS, number))


def structure(avatar_parameters):
    return [
        (shape.id, "".join(letter for letter, _ in shape.commands)) for shape in evaluate(avatar_parameters)
    ]


def width(name):
    return lambda points: points[f"~{name}"][0] - points[name][0]


def drop(upper, lower):
    return lambda points: points[lower][1] - points[upper][1]


WHAT_GROWS = {
    "face_width": width("face_side"),
    "jaw_width": width("face_jaw"),
    "chin_width": width("face_chin_side"),
    "chin_length": drop("mouth_line_2", "face_chin"),
    "nose_width": width("nose_wing"),
    "nose_length": drop("nose_bridge", "nose_base"),
    "mouth_width": width("mouth_corner"),
    "upper_lip": drop("lip_dip", "mouth_line_2"),
    "lower_lip": drop("mouth_line_2", "lip_low_2"),
    "eye_distance": width("iris.9"),
    "eye_size": drop("eye_top_2", "eye_low_2"),
    "brow_height": drop("brow_inner", "eye_inner"),
    "brow_arch": lambda p: (p["brow_outer"][1] + p["brow_inner"][1]) / 2 - p["brow_top_2"][1],
    "brow_weight": drop("brow_top_2", "brow_low_2"),
    "hair_length": drop("o5", "o0"),
    "hair_volume": width("o3"),
    "hair_flare": width("o1"),
    "hairline": lambda p: -(p["i3"][1] + p["k"][1] + p["j3"][1]),
    "hair_part": lambda p: p["k"][0],
}


def lightness(colour):
    return sum(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def warmth(colour):
    return int(colour[1:3], 16) - int(colour[5:7], 16)


@given(parameters, number, number, st.sampled_from(sorted(WHAT_GROWS)))
def test_a_larger_parameter_draws_what_it_names_larger_whatever_the_others_are(base, one, other, name):
    low, high = sorted([one, other])
    size = WHAT_GROWS[name]
    smaller = size(evaluate_points(replace(base, **{name: low})))
    larger = size(evaluate_points(replace(base, **{name: high})))
    assert larger >= smaller - 1e-9
    if high - low > 0.1:
        assert larger > smaller


@pytest.mark.parametrize(("name", "size"), [("hair_lightness", lightness), ("hair_warmth", warmth)])
@given(base=parameters, one=number, other=number)
def test_the_hair_becomes_lighter_and_warmer_with_its_parameters(name, size, base, one, other):
    low, high = sorted([one, other])
    smaller = size(evaluate_colours(replace(base, **{name: low}))["hair"])
    assert size(evaluate_colours(replace(base, **{name: high}))["hair"]) >= smaller - 2  # rounding to bytes


def test_every_parameter_of_the_avatar_is_declared_and_drawn():
    assert set(SOURCE["parameters"]) == set(MEASUREMENTS)
    grids = [SOURCE["silhouettes"]["axes"], *(grid["axes"] for grid in SOURCE["colours"]["grids"].values())]
    used = {rule["parameter"] for rule in SOURCE["rules"]} | {name for axes in grids for name, _ in axes}
    assert used == set(MEASUREMENTS)


def test_every_point_is_drawn_and_every_name_is_unique():
    template = load_template()
    drawn = {name.removeprefix("~") for layer in template.layers for _, names in layer.path for name in names}
    defined = set(template.points) | set(template.silhouettes[0][0])
    assert drawn == defined
    names = [name for group in SOURCE["groups"].values() for name in group]
    assert len(names) == len(set(names))
    ids = [layer.id for layer in template.layers]
    assert len(ids) == len(set(ids))


def test_all_silhouettes_fill_their_grid_with_the_same_points():
    template = load_template()
    (_, rows), (_, columns) = template.silhouette_axes
    assert [len(row) for row in template.silhouettes] == [len(columns)] * len(rows)
    names = {frozenset(cell) for row in template.silhouettes for cell in row}
    assert len(names) == 1


@pytest.mark.parametrize("place", [(length, line) for length in range(5) for line in range(3)])
def test_on_a_stop_of_the_grid_the_hair_is_exactly_that_silhouette(place):
    template = load_template()
    (_, lengths), (_, lines) = template.silhouette_axes
    points = evaluate_points(AvatarParameters(hair_length=lengths[place[0]], hairline=lines[place[1]]))
    for name, at in template.silhouettes[place[0]][place[1]].items():
        assert points[name] == pytest.approx(at)


@given(parameters)
def test_only_move_line_cubic_and_close_in_solid_colours_and_the_same_for_every_avatar(drawn):
    assert structure(drawn) == structure(NEUTRAL)
    for shape in evaluate(drawn):
        assert {letter for letter, _ in shape.commands} <= set("MLCZ")
        assert all(colour is None or COLOUR.fullmatch(colour) for colour in (shape.fill, shape.stroke))
        assert 0 < shape.opacity <= 1


@given(parameters)
def test_the_hair_stays_on_the_round_background_and_the_features_in_their_order(drawn):
    points = evaluate_points(drawn)
    names = load_template().silhouettes[0][0]
    assert max(math.dist(points[name], (256, 256)) for name in names) <= 248
    assert points["lip_low_2"][1] < points["face_chin"][1]
    assert points["nose_base"][1] < points["lip_dip"][1]
    assert points["brow_low_2"][1] < points["eye_top_2"][1]
    assert points["face_side"][0] < points["eye_outer"][0]


def test_a_closed_run_is_smooth_where_it_starts():
    face = next(shape for shape in evaluate(NEUTRAL) if shape.id == "face")
    start = face.commands[0][1][0]
    leaving, arriving = face.commands[1][1][0], face.commands[-2][1][1]
    assert leaving[0] - start[0] == pytest.approx(start[0] - arriving[0])
    assert leaving[1] - start[1] == pytest.approx(start[1] - arriving[1])


@given(parameters)
def test_the_hairline_stays_inside_the_hair(drawn):
    points = evaluate_points(drawn)
    outline = sorted(points[name] for name in ("o2", "o3", "o4", "o5", "~o4", "~o3", "~o2"))
    for name in ("i3", "k", "j3"):
        x, y = points[name]
        (x0, y0), (x1, y1) = next(pair for pair in pairwise(outline) if pair[0][0] <= x <= pair[1][0])
        assert y > y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def test_a_template_of_another_format_is_refused():
    with pytest.raises(InputError, match="avatar template format: got 2, expected 1"):
        parse_template({**SOURCE, "format": 2})
