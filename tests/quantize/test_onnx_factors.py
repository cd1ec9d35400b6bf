"""Two thin layers in the place of a wide one: exact where the voices allow it, and the best there is."""

import numpy as np
import pytest

from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError, InputError
from voxtoon_quantize.formats.onnx import OnnxPart
from voxtoon_quantize.graph import Graph, layer_names
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.onnx_factors import directions_of, heard_by, rank_of, with_factors
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


def directions(model, layer="wide"):
    return {layer: directions_of(model, layer, heard_by(model, [layer], INPUTS)[layer])}


def outputs(model):
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = load(content, precision="fp32", threads=1)
    return np.concatenate([session.run(run)["y"] for run in INPUTS])


def error(model, other):
    return np.linalg.norm(outputs(model) - outputs(other)) / np.linalg.norm(outputs(model))


def test_voices_of_few_directions_lose_next_to_nothing(model):
    found = with_factors(model, {"wide": 2}, directions(model))

    assert rank_of(np.empty((48, 64)), 2) == 13
    assert error(model, found) < 0.01  # what is kept for voices never heard
    assert layer_names(Graph(found)) == ["wide.right", "wide.left", "last"]


def test_they_hold_no_more_weights_than_asked_for(model):
    for share in (2, 4, 8):
        found = Graph(with_factors(model, {"wide": share}, directions(model)))
        sizes = [found.tensors[f"wide.{side}.weight"].size for side in ("right", "left")]
        assert sum(sizes) <= 48 * 64 / share


def test_no_other_directions_of_that_number_are_better(model):
    others = {"wide": np.linalg.qr(RNG.normal(size=(48, 48)))[0]}
    best, other = (with_factors(model, {"wide": 4}, some) for some in (directions(model), others))

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
        heard_by(model, ["c"], [])


def test_a_layer_with_many_more_outputs_than_inputs_has_the_same_directions(make_model):
    """Found by way of the inputs, of which there are fewer: the outputs' own covariance says the same."""
    weight = RNG.normal(size=(300, 64))
    model = make_model(
        [("Gemm", ["x", "wide.weight"], "y", {"transB": 1})], {"wide.weight": weight}, [1, 64], rank=2
    )
    (found,) = directions(model).values()
    outputs_heard = HEARD @ weight.T
    _, vectors = np.linalg.eigh(outputs_heard.T @ outputs_heard)

    assert found.shape == (300, 64)
    np.testing.assert_allclose(found.T @ found, np.eye(64), atol=1e-9)
    both = found[:, :6].T @ vectors[:, ::-1][:, :6]
    assert np.linalg.svd(both)[1].min() > 0.99  # the six that the voices take, whichever way each points


def test_factors_of_a_layer_that_was_not_calibrated_for_it_are_refused(model):
    calibrated = OnnxPart("encoder", model.SerializeToString()).calibrate(Recipe(), INPUTS)

    with pytest.raises(CheckError, match=r"factors of encoder\.wide: expected a layer that was calibrated"):
        calibrated.quantize({"wide": "weight_wi8_factors2"}, Recipe())


def test_calibrated_for_it_any_fully_connected_layer_becomes_factors(model):
    part = OnnxPart("encoder", model.SerializeToString())
    recipe = Recipe(overrides=(Override("encoder.wide", "weight_wi8_factors2"),))
    expected = part.calibrate(recipe, INPUTS).heard
    calibrated = part.calibrate(Recipe(), INPUTS, for_factors=True)
    content = calibrated.quantize(recipe.schemes("encoder", part.layers), recipe)

    np.testing.assert_array_equal(calibrated.heard["wide"], expected["wide"])
    assert calibrated.heard.keys() == {"wide", "last"}
    assert error(model, content) < 0.05
