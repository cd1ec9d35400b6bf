"""Two thin layers in the place of a wide one: exact where the voices allow it, and the best there is."""

import numpy as np
import pytest

from voxtoon.engines.onnx import load
from voxtoon.errors import InputError
from voxtoon_quantize.formats.onnx import OnnxPart
from voxtoon_quantize.graph import Graph, layer_names
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.onnx_factors import directions_of, rank_of, with_factors
from voxtoon_quantize.recipe import Override, Recipe

RNG = np.random.default_rng(0)
HEARD = RNG.normal(size=(200, 6)) @ RNG.normal(size=(6, 64))
"""Inputs that take six of 64 directions."""
INPUTS = [{"x": row[None].astype(np.float32)} for row in HEARD]


@pytest.fixture
def model(make_model):
    tensors = {
        "wide.weight": RNG.normal(size=(48, 64)),
        "wide.bias": RNG.normal(size=48),
        "last.weight": RNG.normal(size=(8, 48)),
    }
    nodes = [
        ("Gemm", ["x", "wide.weight", "wide.bias"], "a", {"transB": 1}),
        ("Relu", ["a"], "b", {}),
        ("Gemm", ["b", "last.weight"], "y", {"transB": 1}),
    ]
    return make_model(nodes, tensors, [1, 64], rank=2)


def outputs(model):
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = load(content, precision="fp32", threads=1)
    return np.concatenate([session.run(run)["y"] for run in INPUTS])


def error(model, other):
    return np.linalg.norm(outputs(model) - outputs(other)) / np.linalg.norm(outputs(model))


def test_voices_of_few_directions_lose_next_to_nothing(model):
    found = with_factors(model, {"wide": 2}, directions_of(model, ["wide"], INPUTS))

    assert rank_of(np.empty((48, 64)), 2) == 13
    assert error(model, found) < 0.01  # what is kept for voices never heard
    assert layer_names(Graph(found)) == ["wide.right", "wide.left", "last"]


def test_they_hold_no_more_weights_than_asked_for(model):
    for share in (2, 4, 8):
        found = Graph(with_factors(model, {"wide": share}, directions_of(model, ["wide"], INPUTS)))
        sizes = [found.tensors[f"wide.{side}.weight"].size for side in ("right", "left")]
        assert sum(sizes) <= 48 * 64 / share


def test_no_other_directions_of_that_number_are_better(model):
    directions = directions_of(model, ["wide"], INPUTS)
    others = {"wide": np.linalg.qr(RNG.normal(size=(48, 48)))[0]}
    best, other = (with_factors(model, {"wide": 4}, some) for some in (directions, others))

    assert error(model, best) < 0.05 * error(model, other)


def test_a_recipe_makes_them_and_the_rest_in_integers(model):
    part = OnnxPart("encoder", model.SerializeToString())
    recipe = Recipe(overrides=(Override("encoder.wide", "weight_wi8_factors2"),))
    calibrated = part.calibrate(recipe, iter(INPUTS))
    content = calibrated.quantize(recipe.schemes("encoder", part.layers), recipe)

    assert error(model, content) < 0.05
    operators = audit(content, INPUTS[0]).operators
    assert {item.layer for item in operators if item.macs and item.reason is None} == {"last"}
    assert {item.layer for item in operators if item.macs and item.reason is not None} == {
        "wide.right",
        "wide.left",
    }


def test_a_layer_that_is_no_matrix_has_no_factors(make_model):
    model = make_model(
        [("Conv", ["x", "c.weight"], "y", {})], {"c.weight": np.ones((2, 2, 1, 1))}, [1, 2, 3, 3]
    )

    with pytest.raises(InputError, match="factors of c: got Conv, expected a fully connected layer"):
        directions_of(model, ["c"], [])
