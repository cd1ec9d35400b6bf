"""A goal is met by the steps that it takes, or said to be out of reach."""

import pytest

import voxtoon
from voxtoon.errors import CheckError
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import made_by, size_bytes
from voxtoon_quantize.formats.onnx import FORMAT
from voxtoon_quantize.judging import Judged
from voxtoon_quantize.layer_effects import EffectCache
from voxtoon_quantize.quantizer import calibrate_parts
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.search import Goal
from voxtoon_quantize.search import search as search_with

RECIPE = Recipe(observer="minmax")


def search(parts, recipe, judged, goal):
    return search_with(parts, recipe, judged, goal, EffectCache())


@pytest.fixture(scope="module")
def known(tiny_bundle, voices):
    """Calibrated parts, and voices to judge by."""
    with voxtoon.open_bundle(tiny_bundle) as bundle:
        parts = float_parts(bundle, FORMAT)
        calibrated = calibrate_parts(bundle, FORMAT, parts, RECIPE, CalibrationAudio(voices, clips=3))
        kept = CalibrationAudio(voices, clips=2, telephone_share=0.0)
        yield calibrated, Judged.of(bundle, FORMAT, parts, kept)


def size(parts, recipe):
    return sum(map(size_bytes, made_by(recipe, parts).values()))


def test_a_goal_of_nothing_changes_nothing(known):
    parts, judged = known

    found = search(parts, RECIPE, judged, Goal())
    assert (found.recipe, found.steps) == (RECIPE, ())


def test_the_largest_fully_connected_layer_goes_to_four_bits_first(known):
    parts, judged = known
    largest = max(
        (weights, f"{part.part.name}.{layer}")
        for part in parts
        for layer, weights in part.part.fully_connected.items()
    )[1]
    wanted = size(parts, RECIPE) - 100

    found = search(parts, RECIPE, judged, Goal(max_bytes=wanted))
    assert size(parts, found.recipe) <= wanted
    assert found.recipe.overrides[0].where == largest
    assert found.steps[0].startswith(f"{largest}: weight_wi4_block32")


def test_layers_go_back_to_float_until_the_feature_is_true_enough(known):
    parts, judged = known

    def angle(recipe):
        return judged.quality(made_by(recipe, parts)).angle_mean_deg

    goal = 0.6 * angle(RECIPE)
    found = search(parts, RECIPE, judged, Goal(max_angle_deg=goal))
    assert angle(found.recipe) <= goal
    assert found.steps
    assert all(override.scheme == "fp32" for override in found.recipe.overrides)
    assert all("turned the feature" in step for step in found.steps)


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (Goal(max_bytes=1000), r"bytes of the quantized files: got [\d,]+, expected at most 1,000"),
        (Goal(max_angle_deg=-1.0), r"mean angle of the feature: got .* degrees at .* bytes"),
        (Goal(max_ms=0.0), r"milliseconds of one run: got [\d.e-]+, expected at most 0"),
    ],
)
def test_what_is_out_of_reach_is_told_with_the_best_found(known, goal, message):
    parts, judged = known

    with pytest.raises(CheckError, match=message):
        search(parts[:1], RECIPE, judged, goal)


def test_a_run_that_is_fast_enough_changes_nothing(known):
    parts, judged = known
    slow = Recipe(observer="minmax", overrides=(Override("encoder.conv1", "fp32"),))

    found = search(parts, slow, judged, Goal(max_ms=1e6))
    assert (found.recipe, found.steps) == (slow, ())


def test_layers_in_float_go_to_integers_where_a_run_takes_too_long(known, monkeypatch):
    """By a clock that goes by what is in float: a real one is not the same twice."""
    parts, judged = known
    slow = Recipe(observer="minmax", overrides=(Override("encoder.conv1", "fp32"),))
    ms = {size(parts, slow): 9.0, size(parts, RECIPE): 1.0}
    monkeypatch.setattr("voxtoon_quantize.search._Search._ms", lambda self, recipe: ms[size(parts, recipe)])

    found = search(parts, slow, judged, Goal(max_ms=2.0))
    assert found.steps == ("encoder.conv1: static_wi8_ai8, the run took too long and it was fp32",)
    assert found.recipe.schemes("encoder", ["conv1"]) == {"conv1": "static_wi8_ai8"}
