"""LiteRT artefacts in integers: near the float ones, as their schemes say, and seen through by the audit."""

import numpy as np
import pytest

import voxtoon
from tests.quantize.conftest import noise
from voxtoon.agreement import compare
from voxtoon.errors import CheckError, InputError
from voxtoon_export.litert_model import kind, layer_of, read, shape_of, weighted, written
from voxtoon_quantize import quantizer
from voxtoon_quantize.formats import made_by, quantized_format
from voxtoon_quantize.formats.litert import LitertPart
from voxtoon_quantize.litert_quantized import quantized
from voxtoon_quantize.observers import OBSERVERS
from voxtoon_quantize.onnx_static import symmetric
from voxtoon_quantize.recipe import Override, Recipe

pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")

FORMAT = quantized_format("litert")
SCHEMES = {  # how near the float artefacts, in dB of the output's scale; a random encoder blows errors up
    "static_wi8_ai8": {"encoder": 22, "decoder": 45},
    "dynamic_wi8": {"encoder": 20, "decoder": 65},
    "weight_wi8": {"encoder": 24, "decoder": 65},
    "fp16": {"encoder": 55, "decoder": 90},
    "fp32": {"encoder": 200, "decoder": 200},
}


def inputs(part):
    return noise(part, count=4, frames=598)


def run(content, part):
    return FORMAT.load(content, precision="any").run(inputs(part)[0])


def audited(content, part):
    return FORMAT.audit(content, inputs(part)[0], Recipe())


def operators(content):
    model = read(content)
    (graph,) = model.subgraphs
    return [(kind(model, item), [graph.tensors[place] for place in item.outputs]) for item in graph.operators]


def test_layers_have_their_declared_names_in_order(parts):
    assert parts["encoder"].layers == (*(f"conv{number}" for number in range(1, 10)), "fc1", "fc2")
    ups = tuple(f"texture_up{number}" for number in range(1, 5))
    landmarks = ("landmarks_fc1", "landmarks_fc2")
    assert parts["decoder"].layers == ("trunk_fc", "texture_fc", *ups, "texture_rgb", *landmarks)
    assert parts["decoder"].fully_connected["landmarks_fc2"] == 16 * 136


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_outputs_are_near_those_of_float32(parts, made, scheme, part):
    expected, found = run(parts[part].content, part), run(made[scheme][part], part)

    for name, array in expected.items():
        assert found[name].dtype == np.float32
        assert compare(array, found[name], what=name).psnr_db >= SCHEMES[scheme][part]
        assert scheme == "fp32" or not np.array_equal(found[name], array)


def test_weights_and_grids_are_what_their_definition_says(parts, calibrated, made):
    before, after = (
        read(content) for content in (parts["encoder"].content, made["static_wi8_ai8"]["encoder"])
    )
    floats = {layer_of(weight): weight for _, weight in weighted(before, before.subgraphs[0])}
    (graph,) = after.subgraphs
    found = {layer_of(weight): (operator, weight) for operator, weight in weighted(after, graph)}
    operator, weight = found["conv3"]
    original = np.frombuffer(bytes(before.buffers[floats["conv3"].buffer].data), np.float32)
    values, scales = symmetric(original.reshape(shape_of(floats["conv3"])))

    assert (
        np.abs(np.frombuffer(bytes(after.buffers[weight.buffer].data), np.int8) - values.ravel()).max() <= 1
    )
    np.testing.assert_allclose(weight.quantization.scale, scales, rtol=1e-5)
    low, high = OBSERVERS["mse"].range(calibrated["encoder"].seen["conv2"])
    taken = graph.tensors[operator.inputs[0]].quantization
    np.testing.assert_allclose(taken.scale, [(high - low) / 255], rtol=1e-5)


def test_nothing_between_integer_layers_is_float(made):
    found = operators(made["static_wi8_ai8"]["decoder"])
    first, last = found.index(next(x for x in found if x[0] == "QUANTIZE")), len(found)
    inside = [what for what, _ in found[first + 1 : last]]

    assert inside.count("DEPTH_TO_SPACE") == 4
    assert inside.count("QUANTIZE") == 0
    assert inside.count("DEQUANTIZE") == 2  # the texture's, and before the landmarks' last layer


def test_what_a_part_gives_is_not_rounded_to_eight_bits(parts, made):
    landmarks = run(made["static_wi8_ai8"]["decoder"], "decoder")["landmarks"]

    assert len(np.unique(landmarks)) > 130
    shift = landmarks - run(parts["decoder"].content, "decoder")["landmarks"]
    assert np.abs(shift).max() < 0.5  # a step of eight bits over these landmarks is 0.6 pixels


def test_fully_connected_integers_have_one_scale_since_older_runtimes_take_no_more(made):
    model = read(made["static_wi8_ai8"]["decoder"])
    scales = {
        layer_of(weight): len(weight.quantization.scale) for _, weight in weighted(model, model.subgraphs[0])
    }
    assert scales["trunk_fc"] == scales["texture_fc"] == scales["landmarks_fc1"] == 1
    assert (
        scales["landmarks_fc2"] == 1
    )  # of floats, which may have more: but here it makes 136 numbers of few
    assert scales["texture_up1"] == 4 * 4


@pytest.mark.parametrize(
    ("scheme", "share"), [("static_wi8_ai8", 1.0), ("dynamic_wi8", 1.0), ("weight_wi8", 0.0), ("fp32", 0.0)]
)
def test_the_audit_tells_integers_from_integer_weights(made, scheme, share):
    for part, content in made[scheme].items():
        assert audited(content, part).mac_share == share


def test_the_audit_counts_multiplications_and_names_the_delegate(parts):
    found = {item.layer: item for item in audited(parts["encoder"].content, "encoder").operators}

    assert found["conv2"].macs == 592 * 58 * 4 * 4 * 4 * 4
    assert found["fc2"].macs == 32 * 16
    assert "XNNPACK" in found["conv2"].kind
    assert found["conv2"].reason == "left in float32"


def test_one_layer_in_float_shows_in_the_audit(calibrated):
    recipe = Recipe(overrides=(Override("encoder.conv3", "fp32"),))
    content = made_by(recipe, [calibrated["encoder"]])["encoder"]
    found = audited(content, "encoder")

    assert [item.layer for item in found.in_float] == ["conv3"]
    with pytest.raises(CheckError, match=r"encoder is not int8: .*conv3 \(CONV_2D \(XNNPACK\)\): left in f"):
        found.check(where="encoder")


def test_four_bits_are_stored_in_blocks_and_only_where_fully_connected(calibrated):
    blocks = Recipe(overrides=(Override("encoder.fc1", "weight_wi4_block32"),))
    content = made_by(blocks, [calibrated["encoder"]])["encoder"]
    whole = made_by(Recipe(), [calibrated["encoder"]])["encoder"]

    assert len(content) < len(whole)
    assert (
        compare(run(whole, "encoder")["feature"], run(content, "encoder")["feature"], what="f").psnr_db > 20
    )
    with pytest.raises(InputError, match="four bits for conv1"):
        made_by(Recipe("weight_wi4_block32"), [calibrated["encoder"]])


def test_a_file_that_does_not_name_its_layers_is_refused(parts):
    model = read(parts["encoder"].content)
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"anything"

    with pytest.raises(CheckError, match="does not tell its layers: got anything"):
        _ = LitertPart("encoder", written(model)).layers


def test_a_range_that_is_missing_is_refused(parts, calibrated):
    from voxtoon_quantize.litert_plan import planned

    part = parts["encoder"]
    plan = list(planned(part.model, dict.fromkeys(part.layers, "static_wi8_ai8")))
    with pytest.raises(CheckError, match="ai-edge-quantizer refused"):
        quantized(part.content, plan, {})


def test_a_bundle_gets_artefacts_with_their_audit(mobile_bundle, voices, tmp_path):
    report = quantizer.quantize(
        mobile_bundle,
        audio=voices,
        recipe=Recipe(),
        formats=["litert"],
        output=tmp_path / "out.voxtoon",
        clips=4,
        judged_clips=3,
        allow=True,
    )
    with voxtoon.open_bundle(report.bundle) as bundle:
        ours = [item for item in bundle.manifest.artefacts if item.precision.startswith("int8")]
        assert {item.part for item in ours} == {"encoder", "decoder", "encoder_step", "head"}
        assert {item.format for item in ours} == {"litert"}
        (step,) = (item for item in ours if item.part == "encoder_step")
        assert {grid.dtype for grid in step.states.values()} == {"int8"}
        assert all(item.quality["integer_macs"] == 1.0 for item in ours)
        bundle.verify_all()
