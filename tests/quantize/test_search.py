"""A goal is met by the steps that it takes, or said to be out of reach."""

from dataclasses import replace

import pytest

import voxtoon
from voxtoon.errors import CheckError, InputError
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import made_by, size_bytes
from voxtoon_quantize.formats.onnx import FORMAT
from voxtoon_quantize.judging import Judged, of_faces
from voxtoon_quantize.layer_effects import EffectCache
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.search import Goal
from voxtoon_quantize.search import search as search_with
from voxtoon_quantize.trials import with_scheme

RECIPE = Recipe(observer="minmax")


def search(parts, recipe, judged, goal):
    return search_with(parts, recipe, judged, goal, EffectCache())


@pytest.fixture(scope="module")
def known(tiny_bundle, voices):
    """Calibrated parts, and voices to judge by."""
    with voxtoon.open_bundle(tiny_bundle) as bundle:
        parts = of_faces(bundle, float_parts(bundle, FORMAT))
        heard = CalibrationAudio(voices, clips=3)
        calibrated = calibrate_parts(bundle, FORMAT, parts, RECIPE, heard, for_factors=True)
        kept = CalibrationAudio(voices, clips=2, telephone_share=0.0)
        yield calibrated, Judged.of(bundle, FORMAT, parts, kept)


def size(parts, recipe):
    return sum(map(size_bytes, made_by(recipe, parts).values()))


def test_a_goal_of_nothing_changes_nothing(known):
    parts, judged = known

    found = search(parts, RECIPE, judged, Goal())
    assert (found.recipe, found.steps) == (RECIPE, ())


def sizes_and_qualities(parts, judged, where):
    """Of every scheme of fewer bits for one layer."""
    names = ("weight_wi8_factors2", "weight_wi8_factors4", "weight_wi4_block32", "weight_wi4_block128")
    found = {name: made_by(replace(RECIPE, overrides=(Override(where, name),)), parts) for name in names}
    return {name: (sum(map(size_bytes, made.values())), judged.quality(made)) for name, made in found.items()}


@pytest.fixture(scope="module")
def of_largest(known):
    """The largest fully connected layer of the encoder, alone, and what its schemes come to."""
    parts, judged = known
    weights = parts[0].part.fully_connected
    where = f"encoder.{max(weights, key=weights.get)}"
    return where, sizes_and_qualities(parts[:1], judged, where)


@pytest.mark.parametrize("small_enough", range(1, 5))
def test_of_the_schemes_that_are_small_enough_the_truest_is_chosen(known, of_largest, small_enough):
    parts, judged = known
    where, found = of_largest
    wanted, _ = sorted(found.values(), key=lambda item: item[0])[small_enough - 1]
    enough = {name: quality for name, (size, quality) in found.items() if size <= wanted}
    best = min(enough, key=lambda name: enough[name].angle_mean_deg)

    chosen = search(parts[:1], RECIPE, judged, Goal(max_bytes=wanted))
    assert chosen.recipe.overrides == (Override(where, best),)
    (step,) = chosen.steps
    assert step.startswith(f"{where}: {best}, the files were too large and it has ")
    assert all(f"{name} {enough[name].angle_mean_deg:.2f} degrees" in step for name in enough if name != best)
    assert ("would be too" in step) == (len(enough) > 1)


def test_factors_are_truer_than_blocks_of_their_size_on_some_layer(of_largest):
    """If they were not, nothing would be gained by trying them."""
    _, found = of_largest
    smallest = min(found, key=lambda name: found[name][0])

    assert smallest == "weight_wi8_factors4"
    assert found["weight_wi8_factors2"][0] <= found["weight_wi4_block128"][0]


def test_the_largest_layers_are_tried_first_and_each_has_no_fewer_bits_than_it_must(known):
    parts, judged = known
    largest = sorted(
        (
            (weights, f"{part.part.name}.{layer}")
            for part in parts
            for layer, weights in part.part.fully_connected.items()
        ),
        reverse=True,
    )
    everything = replace(
        RECIPE, overrides=tuple(Override(where, "weight_wi8_factors4") for _, where in largest[:2])
    )
    wanted = size(parts, everything) + 50

    found = search(parts, RECIPE, judged, Goal(max_bytes=wanted))
    assert size(parts, found.recipe) <= wanted
    assert [override.where for override in found.recipe.overrides] == [where for _, where in largest[:2]]


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
        (
            Goal(max_bytes=1000),
            r"bytes of the quantized files: got [\d,]+, expected at most 1,000; that is the best found, "
            r"--recipe static_wi8_ai8 --layer encoder\.fc1=weight_wi8_factors4 .*; ask for less",
        ),
        (Goal(max_angle_deg=0.0), r"mean angle of the feature: got .* degrees at .* bytes"),
        (Goal(max_ms=0.0), r"milliseconds of one run: got [\d.e-]+, expected at most 0"),
    ],
)
def test_what_is_out_of_reach_is_told_with_the_best_found(known, goal, message):
    parts, judged = known

    with pytest.raises(CheckError, match=message):
        search(parts[:1], RECIPE, judged, goal)


def test_what_would_be_too_large_in_float_gets_what_there_is_room_for(known):
    parts, judged = known
    floats = replace(RECIPE, overrides=(Override("encoder.conv?", "fp32"), Override("encoder.fc2", "fp32")))
    light, fitting = (
        with_scheme(floats, "encoder", "fc1", scheme) for scheme in ("weight_wi8_factors4", "weight_wi8")
    )
    angles = [judged.quality(made_by(recipe, parts)).angle_mean_deg for recipe in (light, fitting)]
    goal = Goal(max_bytes=size(parts, floats) + 100, max_angle_deg=sum(angles) / 2)

    found = search(parts, light, judged, goal)
    assert found.recipe == fitting
    assert size(parts, found.recipe) <= goal.max_bytes
    assert judged.quality(made_by(found.recipe, parts)).angle_mean_deg <= goal.max_angle_deg


@pytest.mark.parametrize("wrong", [{"max_bytes": -1}, {"max_ms": -0.5}, {"max_angle_deg": float("nan")}])
def test_a_goal_is_a_number_that_can_be_met(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=f"goal {name}: got .*, expected 0 or more"):
        Goal(**wrong)


def test_time_is_no_goal_where_none_can_be_measured(known):
    parts, judged = known
    elsewhere = replace(judged, format=replace(judged.format, name="coreml", timed=False))

    with pytest.raises(
        InputError, match="a goal of time for coreml: got 5 ms, expected a format whose speed"
    ):
        search(parts, RECIPE, elsewhere, Goal(max_ms=5.0))


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
    monkeypatch.setattr("voxtoon_quantize.trials.Trials.ms", lambda self, recipe: ms[size(parts, recipe)])

    found = search(parts, slow, judged, Goal(max_ms=2.0))
    assert found.steps == ("encoder.conv1: static_wi8_ai8, the run took too long and it was fp32",)
    assert found.recipe.schemes("encoder", ["conv1"]) == {"conv1": "static_wi8_ai8"}
