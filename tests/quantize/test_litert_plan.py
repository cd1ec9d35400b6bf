"""Every operator gets what its layer's scheme says, and one scale or many as LiteRT computes them right."""

import numpy as np
import pytest

from voxtoon.agreement import compare
from voxtoon.errors import CheckError
from voxtoon_export.layers import Affine, Linear, Relu, Unflatten
from voxtoon_export.litert_model import layer_of, read, weighted, written
from voxtoon_export.parts import Branch, PartSpec, TensorSpec
from voxtoon_quantize.formats import quantized_format
from voxtoon_quantize.litert_plan import planned
from voxtoon_quantize.onnx_static import symmetric
from voxtoon_quantize.recipe import Recipe

pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")
torch = pytest.importorskip("torch", reason="exporting needs voxtoon[export]")

FORMAT = quantized_format("litert")
OUTPUTS, HIDDEN = 136, 96  # more than four times as many as there are inputs
INPUTS = [
    {"feature": np.random.default_rng(seed).normal(size=(1, 16)).astype(np.float32)} for seed in range(8)
]


@pytest.fixture(scope="module")
def landmarks():
    """The landmark branch of a decoder, the points of which move by very different amounts."""
    from voxtoon_export.lowering import format_named
    from voxtoon_export.network import build

    feature = TensorSpec("feature", ("batch", "feature"), (1, 16))
    layers = (Linear("landmarks_fc1", HIDDEN), Relu(), Linear("landmarks_fc2", OUTPUTS), Unflatten((68, 2)))
    branch = Branch("landmarks", ("point", "coordinate"), (*layers, Affine("landmarks_affine")))
    declared = PartSpec("decoder", feature, (), (branch,))
    torch.manual_seed(0)
    network = build(declared).eval()
    tensors = network.state_dict()
    tensors["landmarks_fc2.weight"] *= torch.logspace(-2, 0, OUTPUTS)[:, None]
    tensors["landmarks_affine.scale"].fill_(1.0)
    tensors["landmarks_affine.offset"].fill_(0.0)
    with torch.no_grad():
        content = format_named("litert").lower(network, declared, ["fp32"])["fp32"]
    return FORMAT.part("decoder", content)


def quantized(part, scheme):
    recipe = Recipe(scheme)
    return part.calibrate(recipe, INPUTS).quantize(recipe.schemes("decoder", part.layers), recipe)


def scales(content):
    model = FORMAT.part("decoder", content).model
    return {layer_of(item): item.quantization.scale for _, item in weighted(model, model.subgraphs[0])}


def run(content):
    session = FORMAT.load(content, precision="any")
    return np.concatenate([session.run(inputs)["landmarks"] for inputs in INPUTS])


def floats(part, layer):
    (found,) = (item for _, item in weighted(part.model, part.model.subgraphs[0]) if layer_of(item) == layer)
    return np.frombuffer(bytes(part.model.buffers[found.buffer].data), np.float32).reshape(-1, HIDDEN)


def test_an_output_layer_has_a_scale_for_each_of_its_outputs(landmarks):
    found = scales(quantized(landmarks, "static_wi8_ai8"))
    _, expected = symmetric(floats(landmarks, "landmarks_fc2"))

    assert len(found["landmarks_fc1"]) == 1
    np.testing.assert_allclose(found["landmarks_fc2"], expected, rtol=1e-5)
    assert expected.max() > 50 * expected.min()


def test_points_that_move_little_are_as_true_as_those_that_move_much(landmarks):
    """With one scale for all, the smallest weights would have two or three steps."""
    expected, found = run(landmarks.content), run(quantized(landmarks, "static_wi8_ai8"))

    still, moving = (
        compare(expected[:, part], found[:, part], what="points").psnr_db for part in (np.s_[:8], np.s_[-8:])
    )
    assert min(still, moving) > 35


def test_the_plan_says_how_each_layer_is_multiplied(landmarks):
    def treatments(scheme):
        return [item.treatment for item in planned(landmarks.model, dict.fromkeys(landmarks.layers, scheme))]

    assert treatments("static_wi8_ai8")[:1] == ["static"]
    assert treatments("static_wi8_ai8")[-1] == "dynamic"  # what a part gives is not rounded
    assert treatments("dynamic_wi8") == ["dynamic", "dynamic"]
    assert treatments("weight_wi8") == ["weights", "weights"]
    assert treatments("fp16") == ["half", "half"]
    assert treatments("fp32") == []


def test_blocks_that_do_not_divide_a_row_are_refused(landmarks):
    calibrated = landmarks.calibrate(Recipe(), INPUTS)

    assert calibrated.quantize({"landmarks_fc2": "weight_wi4_block32"}, Recipe())
    with pytest.raises(CheckError, match="ai-edge-quantizer refused"):  # rows of 16
        calibrated.quantize({"landmarks_fc1": "weight_wi4_block32"}, Recipe())


@pytest.mark.parametrize("next_to_nothing", [0.0, 1e-12])
def test_blocks_of_next_to_nothing_are_loaded_and_stay_so(landmarks, next_to_nothing):
    """As in trained layers, where nothing reads an output: LiteRT loads no block with a scale of zero."""
    model = read(landmarks.content)
    (weight,) = (item for _, item in weighted(model, model.subgraphs[0]) if layer_of(item) == "landmarks_fc2")
    values = floats(landmarks, "landmarks_fc2").copy()
    values[:8] = next_to_nothing
    model.buffers[weight.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    part = FORMAT.part("decoder", written(model))
    content = part.calibrate(Recipe(), INPUTS).quantize({"landmarks_fc2": "weight_wi4_block32"}, Recipe())

    expected, found = run(part.content), run(content)
    np.testing.assert_allclose(found[:, :4], expected[:, :4], atol=1e-4)
    assert compare(expected, found, what="points").psnr_db > 20
