"""The layer that eight bits hurt most is found, and so is how much."""

import numpy as np
import pytest

from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.sensitivity import layer_errors

INPUTS = [{"x": np.random.default_rng(seed).random((1, 8, 5, 5)).astype(np.float32)} for seed in range(4)]


@pytest.fixture
def part(make_model):
    """Three convolutions, of which the second has one weight that leaves no levels for the others."""
    rng = np.random.default_rng(0)
    tensors = {f"{name}.weight": rng.normal(size=(8, 8, 1, 1)) for name in ("first", "second", "third")}
    tensors["second.weight"][:, 7] = 500.0
    tensors["first.weight"][7] = 0.0
    nodes = [
        ("Conv", ["x", "first.weight"], "a", {}),
        ("Conv", ["a", "second.weight"], "b", {}),
        ("Conv", ["b", "third.weight"], "y", {}),
    ]
    model = make_model(nodes, tensors, [1, 8, 5, 5])
    return OnnxPart("part", model.SerializeToString())


def test_the_worst_layer_comes_first_with_its_error(part):
    recipe = Recipe(observer="minmax")
    found = layer_errors(FORMAT, part.calibrate(recipe, INPUTS), recipe, INPUTS)

    assert found[0].layer == "second"
    assert {item.layer for item in found} == {"first", "second", "third"}
    assert found[0].relative_error > 10 * found[1].relative_error > 0.0


def test_layers_left_in_float_are_not_blamed(part):
    recipe = Recipe(observer="minmax", overrides=(Override("part.second", "fp32"),))
    found = layer_errors(FORMAT, part.calibrate(recipe, INPUTS), recipe, INPUTS)

    assert {item.layer for item in found} == {"first", "third"}
    assert found[0].relative_error < 0.05
