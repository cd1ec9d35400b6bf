"""The audit sees what onnxruntime really does, whatever the file looks like."""

import numpy as np
import pytest

from voxtoon.errors import CheckError
from voxtoon_quantize.graph import Graph, layer_names
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.onnx_static import observed, quantized
from voxtoon_quantize.rewrites import rewrite

X = {"x": np.random.default_rng(0).random((1, 4, 6, 6)).astype(np.float32)}
CONVOLUTION_MACS, TRANSPOSED_MACS = 8 * 4 * 9 * 16, 8 * 16 * 4 * 16


@pytest.fixture
def model(make_model):
    """A convolution and a transposed one."""
    rng = np.random.default_rng(0)
    nodes = [
        ("Conv", ["x", "down.weight", "down.bias"], "a", {}),
        ("Relu", ["a"], "b", {}),
        ("ConvTranspose", ["b", "up.weight"], "y", {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ]
    tensors = {
        "down.weight": rng.normal(size=(8, 4, 3, 3)),
        "down.bias": rng.normal(size=8),
        "up.weight": rng.normal(size=(8, 4, 4, 4)),
    }
    return make_model(nodes, tensors, [1, 4, 6, 6])


def in_integers(model, activation="u8"):
    layers = layer_names(Graph(model))
    ranges = dict.fromkeys(observed(model, layers), (0.0, 4.0))
    return quantized(model, ranges, layers=layers, activation=activation).SerializeToString()


def test_a_float_file_has_no_integers_and_all_its_macs(model):
    found = audit(model.SerializeToString(), X)

    assert found.mac_share == found.operator_share == 0.0
    assert sum(item.macs for item in found.operators) == CONVOLUTION_MACS + TRANSPOSED_MACS
    assert {item.reason for item in found.in_float} == {
        "left in float32",
        "onnxruntime has no integer kernel of it",
    }


def test_a_transposed_convolution_gives_a_quantized_file_away(model):
    found = audit(in_integers(model), X)

    assert found.mac_share == pytest.approx(CONVOLUTION_MACS / (CONVOLUTION_MACS + TRANSPOSED_MACS))
    assert [(item.layer, item.kind) for item in found.in_float] == [("up", "ConvTranspose")]
    with pytest.raises(CheckError, match=r"decoder is not int8: .*got 36.0 %.*up \(ConvTranspose\): onnxr"):
        found.check(where="decoder")


def test_rewritten_it_runs_in_integers(model):
    found = audit(in_integers(rewrite(model)[0]), X)

    assert found.mac_share == 1.0
    assert found.in_float == ()
    assert {item.layer for item in found.operators if item.macs} == {"down", "up"}
    found.check(where="decoder")


def test_signed_activations_are_judged_as_on_arm(model):
    content = in_integers(rewrite(model)[0], "s8")

    assert audit(content, X, signed=True).mac_share == 1.0
    assert audit(content, X).mac_share <= 1.0


def test_quantized_weights_alone_are_no_integer_layer(model):
    """Weights that are dequantized before a float operator, as onnxruntime would have it."""
    from onnx import helper, numpy_helper

    graph = model.graph
    weight = next(item for item in graph.initializer if item.name == "down.weight")
    values = np.round(numpy_helper.to_array(weight) * 30).astype(np.int8)
    weight.CopyFrom(numpy_helper.from_array(values, "stored"))
    graph.initializer.append(numpy_helper.from_array(np.float32(1 / 30), "step"))
    nodes = [helper.make_node("DequantizeLinear", ["stored", "step"], ["down.weight"]), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)

    found = audit(model.SerializeToString(), X)
    assert found.mac_share == 0.0
    assert sum(item.macs for item in found.operators) == CONVOLUTION_MACS + TRANSPOSED_MACS


def test_what_cannot_be_loaded_is_no_success():
    with pytest.raises(CheckError, match="cannot load"):
        audit(b"not a model", X)
