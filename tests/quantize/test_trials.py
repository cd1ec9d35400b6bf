"""Recipes are tried one after the other: what a format refuses is told apart, and nothing is made twice."""

import numpy as np
import pytest

from voxtoon_quantize.formats.onnx import OnnxPart
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.trials import Trials, with_scheme

RECIPE = Recipe(observer="minmax")
INPUTS = [{"x": np.random.default_rng(seed).random((1, 4, 3, 3)).astype(np.float32)} for seed in range(2)]


@pytest.fixture
def trials(make_model):
    """A convolution and a fully connected layer; no voices to judge by."""
    rng = np.random.default_rng(0)
    nodes = [
        ("Conv", ["x", "conv.weight"], "a", {}),
        ("Flatten", ["a"], "b", {}),
        ("Gemm", ["b", "fc.weight"], "y", {"transB": 1}),
    ]
    tensors = {"conv.weight": rng.normal(size=(8, 4, 1, 1)), "fc.weight": rng.normal(size=(16, 72))}
    part = OnnxPart("part", make_model(nodes, tensors, [1, 4, 3, 3], rank=2).SerializeToString())
    return Trials([part.calibrate(RECIPE, INPUTS, for_factors=True)], judged=None)


def test_what_a_format_refuses_is_not_possible(trials):
    assert trials.possible(with_scheme(RECIPE, "part", "fc", "weight_wi4_block32"))
    assert not trials.possible(with_scheme(RECIPE, "part", "conv", "weight_wi4_block32"))
    assert not trials.possible(with_scheme(RECIPE, "part", "conv", "weight_wi8_factors2"))


def test_each_recipe_has_its_own_size(trials):
    light = with_scheme(RECIPE, "part", "fc", "weight_wi8_factors4")
    (part,) = trials.parts

    for recipe in (RECIPE, light, RECIPE):
        assert trials.size_bytes(recipe) == len(
            part.quantize(recipe.schemes("part", part.part.layers), recipe)
        )
    assert trials.size_bytes(with_scheme(RECIPE, "part", "fc", "fp32")) > trials.size_bytes(RECIPE)


def test_a_recipe_of_the_same_schemes_is_not_made_again(trials):
    made = trials.made(RECIPE)["part"]
    again = Recipe(observer="minmax", overrides=(Override("part.fc", "static_wi8_ai8"),))

    assert trials.made(again)["part"] is made


def test_another_scheme_takes_the_place_of_the_one_before():
    once = with_scheme(RECIPE, "encoder", "fc1", "weight_wi8_factors2")

    assert with_scheme(once, "encoder", "fc1", "fp32").overrides == (Override("encoder.fc1", "fp32"),)
    assert len(with_scheme(once, "encoder", "fc2", "fp32").overrides) == 2
