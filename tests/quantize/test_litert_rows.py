"""Rows made equally large are the same layer, and one scale is then as true as one for each output."""

import numpy as np
import pytest

from voxtoon.agreement import compare
from voxtoon_export.layers import Linear, Relu
from voxtoon_export.litert_model import floats, kind, layer_of, read, weighted
from voxtoon_export.parts import Branch, PartSpec, TensorSpec
from voxtoon_quantize.formats import quantized_format
from voxtoon_quantize.litert_rows import with_even_rows
from voxtoon_quantize.onnx_static import symmetric
from voxtoon_quantize.recipe import Recipe

pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")
torch = pytest.importorskip("torch", reason="exporting needs voxtoon[export]")

FORMAT = quantized_format("litert")
WIDE = 256
INPUTS = [
    {"feature": np.random.default_rng(seed).normal(size=(1, 16)).astype(np.float32)} for seed in range(8)
]


@pytest.fixture(scope="module")
def part():
    """A layer with sixteen times as many outputs as inputs, of very different sizes, some of them dead."""
    from voxtoon_export.lowering import format_named
    from voxtoon_export.network import build

    feature = TensorSpec("feature", ("batch", "feature"), (1, 16))
    layers = (Linear("wide", WIDE), Relu(), Linear("narrow", 8))
    declared = PartSpec("decoder", feature, (), (Branch("out", ("value",), layers),))
    torch.manual_seed(0)
    network = build(declared).eval()
    tensors = network.state_dict()
    for name in ("wide.weight", "wide.bias"):
        sizes = torch.logspace(-3, 0, WIDE)
        sizes[:4] = 0.0
        tensors[name] *= sizes.reshape(-1, *[1] * (tensors[name].ndim - 1))
    with torch.no_grad():
        content = format_named("litert").lower(network, declared, ["fp32"])["fp32"]
    return FORMAT.part("decoder", content)


def run(content):
    session = FORMAT.load(content, precision="any")
    return np.concatenate([session.run(inputs)["out"] for inputs in INPUTS])


def quantized(part, scheme):
    recipe = Recipe(scheme)
    return part.calibrate(recipe, INPUTS).quantize(recipe.schemes("decoder", part.layers), recipe)


def weights(content):
    """The values of a wide layer in a float32 file, and the operator that follows it."""
    model = read(content)
    (graph,) = model.subgraphs
    (operator, weight) = next(item for item in weighted(model, graph) if layer_of(item[1]) == "wide")
    following = next(item for item in graph.operators if operator.outputs[0] in item.inputs)
    return floats(model, weight), kind(model, following)


def test_the_layer_computes_the_same(part):
    even = with_even_rows(part.content, {"wide": "weight_wi8"})
    expected = run(part.content)

    assert np.abs(run(even) - expected).max() <= 1e-5 * np.abs(expected).max()
    values, following = weights(even)
    largest = np.abs(values).max(axis=1)
    np.testing.assert_allclose(largest[4:], largest.max(), rtol=1e-5)
    assert following == "MUL"


@pytest.mark.parametrize(
    "schemes", [{"wide": "static_wi8_ai8"}, {"wide": "fp16"}, {"narrow": "weight_wi8"}, {}]
)
def test_everything_else_stays_as_it_is(part, schemes):
    assert with_even_rows(part.content, schemes) is part.content


def test_its_integers_are_those_of_a_scale_for_each_output(part):
    (graph,) = (model := read(quantized(part, "weight_wi8"))).subgraphs
    (stored,) = (item for item in graph.tensors if layer_of(item) == "wide")
    found = np.frombuffer(bytes(model.buffers[stored.buffer].data), np.int8)
    expected, _ = symmetric(weights(part.content)[0])

    assert len(stored.quantization.scale) == 1
    assert np.abs(found - expected.ravel().astype(int)).max() <= 1


@pytest.mark.parametrize(("scheme", "least_db"), [("weight_wi8", 45), ("dynamic_wi8", 40)])
def test_small_outputs_are_as_true_as_large_ones(part, scheme, least_db):
    expected, found = run(part.content), run(quantized(part, scheme))

    assert compare(expected, found, what="out").psnr_db > least_db
