"""Layers in integers: exact where the numbers allow it, near where they do not, on grids that fit."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from voxtoon.errors import CheckError
from voxtoon_quantize.graph import Graph, layer_names
from voxtoon_quantize.onnx_static import Grid, observed, quantized, squashed, symmetric

WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    elements=st.floats(-100, 100, width=32),
)


@pytest.fixture
def network(make_model):
    """Two convolutions, a pool and a fully connected layer, with weights that int8 holds exactly."""
    rng = np.random.default_rng(0)

    def whole(*shape):
        found = rng.integers(-127, 128, shape).astype(np.float32)
        found.reshape(shape[0], -1)[:, 0] = 127.0
        return found / 128.0

    nodes = [
        ("Conv", ["x", "first.weight", "first.bias"], "a", {}),
        ("Relu", ["a"], "b", {}),
        ("MaxPool", ["b"], "c", {"kernel_shape": [2, 1], "strides": [2, 1]}),
        ("Conv", ["c", "second.weight"], "d", {}),
        ("Relu", ["d"], "e", {}),
        ("Flatten", ["e"], "f", {}),
        ("Gemm", ["f", "last.weight", "last.bias"], "y", {"transB": 1}),
    ]
    tensors = {
        "first.weight": whole(4, 2, 3, 3),
        "first.bias": rng.normal(size=4),
        "second.weight": whole(3, 4, 1, 1),
        "last.weight": whole(5, 3 * 3 * 4),
        "last.bias": rng.normal(size=5),
    }
    return make_model(nodes, tensors, [1, 2, 8, 6], rank=2)


def ranges_for(model, layers, compute, x):
    """The exact range of everything observed, for one input."""
    found = {}
    for name in observed(model, layers):
        opened = onnx.ModelProto()
        opened.CopyFrom(model)
        del opened.graph.output[:]
        opened.graph.output.append(onnx.helper.make_empty_tensor_value_info("y"))
        opened.graph.node.append(onnx.helper.make_node("Identity", [name], ["y2"]))
        opened.graph.output[0].name = "y2"
        from voxtoon.engines.onnx import load

        values = load(opened.SerializeToString(), precision="fp32", threads=1).run({"x": x})["y2"]
        found[name] = (min(0.0, float(values.min())), max(0.0, float(values.max())))
    return found


@pytest.mark.parametrize("activation", ["u8", "s8"])
def test_integers_come_close_to_floats(network, compute, activation):
    x = np.random.default_rng(1).normal(size=(1, 2, 8, 6)).astype(np.float32)
    layers = layer_names(Graph(network))
    found = quantized(network, ranges_for(network, layers, compute, x), layers=layers, activation=activation)
    before, after = compute(network, x), compute(found, x)

    assert np.abs(after - before).max() < 0.03 * np.abs(before).max()
    assert not np.array_equal(after, before)


def test_numbers_that_the_grids_hold_come_out_exactly(make_model, compute):
    weight = np.array([127.0, -64.0, 32.0], np.float32).reshape(1, 3, 1, 1)
    model = make_model([("Conv", ["x", "only.weight"], "y", {})], {"only.weight": weight}, [1, 3, 2, 2])
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 2, 2)).astype(np.float32)
    found = quantized(model, {"x": (0.0, 255.0)}, layers=["only"], activation="u8")

    np.testing.assert_array_equal(compute(found, x), compute(model, x))


def test_what_only_moves_values_stays_on_the_grid_of_its_input(network):
    assert observed(network, ["second"]) == ["b", "e"]
    assert observed(network, ["first", "second", "last"]) == ["x", "b", "e"]


def test_layers_not_named_stay_in_float(network):
    found = quantized(network, {"b": (0.0, 4.0), "e": (0.0, 9.0)}, layers=["second"], activation="u8")
    kinds = {item.name: numpy_helper.to_array(item).dtype for item in found.graph.initializer}

    assert kinds["second.weight.quantized"] == np.int8
    assert kinds["first.weight"] == kinds["last.weight"] == np.float32


def test_a_tensor_without_a_range_is_named(network):
    with pytest.raises(CheckError, match="not calibrated: got b"):
        quantized(network, {"x": (0.0, 1.0), "e": (0.0, 1.0)}, layers=["first"], activation="u8")


@settings(max_examples=100, deadline=None)
@given(
    low=st.floats(-1e3, 0, width=32),
    high=st.floats(0, 1e3, width=32),
    activation=st.sampled_from(["u8", "s8"]),
)
def test_a_grid_holds_zero_and_reaches_both_ends(low, high, activation):
    grid = Grid.of(low, high, activation)
    limits = np.iinfo(grid.zero.dtype)
    ends = (np.array([limits.min, limits.max], np.float64) - grid.zero) * grid.scale

    assert limits.min <= grid.zero <= limits.max
    assert ends[0] <= low + grid.scale * 0.51
    assert ends[1] >= high - grid.scale * 0.51


@settings(max_examples=100, deadline=None)
@given(weight=WEIGHTS)
def test_no_weight_is_farther_than_half_a_step(weight):
    values, scales = symmetric(weight)
    restored = values * scales.reshape(-1, 1, 1, 1)

    assert values.dtype == np.int8
    assert np.abs(values.astype(int)).max() <= 127
    assert (np.abs(restored - weight) <= 0.5001 * scales.reshape(-1, 1, 1, 1)).all()


@pytest.mark.parametrize(("outputs", "scales"), [(40, 40), (41, 1)])
def test_a_layer_that_widens_has_one_scale(make_model, outputs, scales):
    tensors = {"fc.weight": np.ones((outputs, 10))}
    model = make_model([("Gemm", ["x", "fc.weight"], "y", {"transB": 1})], tensors, [1, 10], rank=2)
    found = Graph(quantized(model, {"x": (-1.0, 1.0)}, layers=["fc"], activation="u8"))

    assert found.tensors["fc.weight.scale"].size == scales


def test_a_tensor_that_a_sigmoid_alone_reads_is_found(make_model):
    tensors = {"a.weight": np.ones((4, 4, 1, 1)), "b.weight": np.ones((4, 4, 1, 1))}
    nodes = [
        ("Conv", ["x", "a.weight"], "a", {}),
        ("Sigmoid", ["a"], "bent", {}),
        ("Conv", ["bent", "b.weight"], "b", {}),
        ("Sigmoid", ["b"], "bent_too", {}),
        ("Add", ["b", "bent_too"], "y", {}),
    ]
    assert squashed(make_model(nodes, tensors, [1, 4, 3, 3])) == {"a"}
