"""Lighter weights: what is stored, and what it computes."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxtoon.errors import CheckError, InputError
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.onnx_weights import four_bit_blocks, with_light_weights

MATRICES = arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.floats(-10, 10, width=32)
)


@pytest.fixture
def network(make_model):
    """Every kind of layer: a convolution, a transposed one, and a fully connected one."""
    rng = np.random.default_rng(0)
    nodes = [
        ("Conv", ["x", "conv.weight", "conv.bias"], "a", {}),
        ("Relu", ["a"], "b", {}),
        ("ConvTranspose", ["b", "up.weight", "up.bias"], "c", {"strides": [2, 2]}),
        ("Flatten", ["c"], "d", {}),
        ("Gemm", ["d", "fc.weight", "fc.bias"], "y", {"transB": 1}),
    ]
    tensors = {
        "conv.weight": rng.normal(size=(8, 4, 3, 3)),
        "conv.bias": rng.normal(size=8),
        "up.weight": rng.normal(size=(8, 16, 2, 2)),
        "up.bias": rng.normal(size=16),
        "fc.weight": rng.normal(size=(40, 16 * 4 * 4)),
        "fc.bias": rng.normal(size=40),
    }
    return make_model(nodes, tensors, [1, 4, 4, 4], rank=2)


X = np.random.default_rng(1).normal(size=(1, 4, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("scheme", "layers", "smaller", "error"),
    [
        ("fp16", ["conv", "up", "fc"], 1.9, 1e-3),
        ("weight_wi8", ["conv", "up", "fc"], 3.3, 0.02),
        ("dynamic_wi8", ["conv", "fc"], 3.0, 0.03),
        ("weight_wi4_block32", ["fc"], 4.0, 0.15),
    ],
)
def test_the_file_is_smaller_and_computes_nearly_the_same(network, compute, scheme, layers, smaller, error):
    found = with_light_weights(network, dict.fromkeys(layers, scheme))
    before, after = compute(network, X), compute(found, X)

    assert network.ByteSize() > smaller * found.ByteSize()
    assert 0 < np.abs(after - before).max() < error * np.abs(before).max()


@pytest.mark.parametrize(("scheme", "scales"), [("weight_wi8", (41, 1)), ("dynamic_wi8", (1,))])
def test_a_layer_that_widens_has_a_scale_for_each_output_where_activations_are_float(
    make_model, scheme, scales
):
    tensors = {"fc.weight": np.ones((41, 10)), "fc.bias": np.ones(41)}
    nodes = [("Gemm", ["x", "fc.weight", "fc.bias"], "y", {"transB": 1})]
    found = with_light_weights(make_model(nodes, tensors, [1, 10], rank=2), {"fc": scheme})

    (scale,) = (item for item in found.graph.initializer if item.name == "fc.weight.scale")
    assert tuple(scale.dims) == scales


def test_layers_that_are_not_named_keep_their_weights(network):
    found = with_light_weights(network, {"fc": "weight_wi8", "conv": "fp32", "up": "static_wi8_ai8"})
    names = {item.name for item in found.graph.initializer}

    assert {"conv.weight", "up.weight", "fc.weight.quantized"} <= names
    assert "fc.weight" not in names


def test_stored_weights_are_ready_before_the_first_run(network):
    """What onnxruntime would compute at every run would make lighter weights slower ones."""
    found = with_light_weights(network, dict.fromkeys(["conv", "up", "fc"], "weight_wi8"))
    kinds = {item.kind for item in audit(found.SerializeToString(), {"x": X}).operators}

    assert not kinds & {"Cast", "Mul", "DequantizeLinear"}


def test_four_bits_are_for_fully_connected_layers(network):
    with pytest.raises(InputError, match="four bits for conv: got Conv, expected a fully connected layer"):
        with_light_weights(network, {"conv": "weight_wi4_block32"})


def test_what_float16_cannot_hold_is_refused(network):
    weight = next(item for item in network.graph.initializer if item.name == "fc.weight")
    weight.CopyFrom(onnx.numpy_helper.from_array(np.full((40, 256), 1e5, np.float32), "fc.weight"))

    with pytest.raises(CheckError, match="cannot be float16"):
        with_light_weights(network, {"fc": "fp16"})


@settings(max_examples=60, deadline=None)
@given(weight=MATRICES, block=st.sampled_from([16, 32]))
def test_four_bits_come_within_a_step_and_hit_the_largest_exactly(weight, block):
    packed, scales = four_bit_blocks(weight, block)
    blocks = -(-weight.shape[1] // block)
    assert packed.shape == (len(weight), blocks, block // 2)

    bits = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(weight), blocks, block).astype(int)
    restored = ((bits - 8) * scales.reshape(len(weight), blocks, 1)).reshape(len(weight), -1)
    steps = np.repeat(np.abs(scales).reshape(len(weight), blocks), block, axis=1)[:, : weight.shape[1]]
    error = np.abs(restored[:, : weight.shape[1]] - weight)

    assert (error <= 1.001 * steps + 1e-6).all()
    assert (restored[:, weight.shape[1] :] == 0).all()
    largest = np.abs(weight).argmax(axis=1)
    found, wanted = (values[np.arange(len(weight)), largest] for values in (restored, weight))
    # A scale is an eighth of its largest weight: below the smallest normal float32 nothing is left of it.
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-37)
