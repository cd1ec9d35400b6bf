"""Core ML packages with smaller weights and activations: what they compute, hold, need and are called."""

import numpy as np
import pytest

import voxtoon
from tests.quantize.conftest import noise
from voxtoon.agreement import compare
from voxtoon.errors import CheckError, InputError
from voxtoon_quantize import quantizer
from voxtoon_quantize.formats import check_schemes, made_by, quantized_format, size_bytes
from voxtoon_quantize.observers import OBSERVERS
from voxtoon_quantize.onnx_static import symmetric
from voxtoon_quantize.recipe import Override, Recipe

pytest.importorskip("coremltools", reason="quantizing Core ML needs voxtoon[export]")

from voxtoon_quantize.coreml_activations import grid
from voxtoon_quantize.coreml_program import layer_of, operations, version_of
from voxtoon_quantize.coreml_weights import palette

FORMAT = quantized_format("coreml")
SCHEMES = {  # how near the float artefacts, in dB of the output's scale; a random encoder blows errors up
    "static_wi8_ai8": {"encoder": 20, "decoder": 65},
    "weight_wi8": {"encoder": 24, "decoder": 70},
    "weight_p8": {"encoder": 20, "decoder": 65},
    "weight_p6": {"encoder": 8, "decoder": 55},
    "weight_p4": {"encoder": 3, "decoder": 45},
    "fp16": {"encoder": 55, "decoder": 95},
}


def inputs(part):
    return noise(part, count=2, frames=400)


def run(content, part):
    return FORMAT.load(content, precision="any").run(inputs(part)[0])


def audited(content, part):
    return FORMAT.audit(content, inputs(part)[0], Recipe())


def of_layer(content, layer):
    return next(
        item
        for item in operations(content)
        if "weight" in item.inputs and item.op_type != "const" and layer_of(item.weight) == layer
    )


def test_layers_have_their_declared_names_in_order(parts):
    assert parts["encoder"].layers == (*(f"conv{number}" for number in range(1, 10)), "fc1", "fc2")
    assert parts["decoder"].layers[2:7] == (*(f"texture_up{number}" for number in range(1, 5)), "texture_rgb")
    assert parts["decoder"].fully_connected["landmarks_fc2"] == 16 * 136


def test_ordinary_convolutions_compute_what_transposed_ones_did(parts):
    part = parts["decoder"]
    before, after = run(part.content, "decoder"), run(part.rewritten.files, "decoder")
    kinds = [item.op_type for item in part.rewritten.operations]

    assert "conv_transpose" in [item.op_type for item in operations(part.content)]
    assert "conv_transpose" not in kinds
    assert kinds.count("pixel_shuffle") == 4
    for name, array in before.items():
        assert compare(array, after[name], what=name).max_abs_relative < 1e-6


@pytest.mark.parametrize("part", ["encoder", "decoder"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_outputs_are_near_those_of_float32(parts, made, scheme, part):
    expected, found = run(parts[part].content, part), run(made[scheme][part], part)

    for name, array in expected.items():
        assert found[name].dtype == np.float32
        assert not np.array_equal(found[name], array)
        assert compare(array, found[name], what=name).psnr_db >= SCHEMES[scheme][part]


def zero_of(quantize):
    """As of signed integers: coremltools writes -128 of those as 0 of unsigned ones, and leaves 0 out."""
    stored = 0 if quantize.zero_point is None else int(quantize.zero_point.val)
    return stored - 128 if quantize.output_dtype.val == "uint8" else stored


def test_weights_and_grids_are_what_their_definition_says(parts, calibrated, made):
    original = of_layer(parts["encoder"].content, "conv3").weight.val
    found = of_layer(made["static_wi8_ai8"]["encoder"], "conv3")
    values, scales = symmetric(original)
    stored = found.weight.op

    assert stored.op_type == "constexpr_affine_dequantize"
    assert np.abs(stored.quantized_data.val - values.astype(int)).max() <= 1
    np.testing.assert_allclose(stored.scale.val, scales, rtol=1e-5)
    source = of_layer(parts["encoder"].rewritten.files, "conv3").x
    scale, zero = grid(*OBSERVERS["mse"].range(calibrated["encoder"].seen[source.name]))
    assert found.x.op.op_type == "dequantize"
    assert float(found.x.op.scale.val) == scale
    assert zero_of(found.x.op.input.op) == zero


def test_both_sides_of_a_pool_are_on_one_grid(made):
    pools = [item for item in operations(made["static_wi8_ai8"]["encoder"]) if item.op_type == "max_pool"]

    assert len(pools) == 4
    for pool in pools:
        before, after = pool.x.op, pool.outputs[0].child_ops[0]
        assert (before.op_type, after.op_type) == ("dequantize", "quantize")
        assert before.scale.val == after.scale.val
        assert zero_of(before.input.op) == zero_of(after)


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-3.0, 5.0), (-1.0, 0.0), (0.0, 0.0)])
def test_a_grid_holds_zero_and_its_ends(low, high):
    scale, zero = grid(low, high)

    assert -128 <= zero <= 127
    assert scale == np.float16(scale)
    assert (-128 - zero) * scale <= low + 0.51 * scale + 1e-3 * abs(low)
    assert (127 - zero) * scale >= high - 0.51 * scale - 1e-3 * high


def test_a_palette_is_that_of_the_groups_there_are():
    rng = np.random.default_rng(0)
    centres = np.array([-1.0, -0.25, 0.5, 2.0], np.float32)
    places = rng.integers(0, 4, 5000)
    lut, indices = palette(
        (centres[places] + rng.normal(0, 0.01, 5000)).astype(np.float32).reshape(50, 100), 4
    )

    np.testing.assert_allclose(lut, centres, atol=0.01)
    np.testing.assert_array_equal(indices, places)


def test_a_palette_halves_the_error_of_equal_steps_on_what_is_not_spread_evenly():
    weight = np.random.default_rng(0).normal(size=20000).astype(np.float32)
    lut, indices = palette(weight, 16)
    steps = np.linspace(weight.min(), weight.max(), 16)
    nearest = steps[np.abs(weight[:, None] - steps).argmin(axis=1)]

    assert np.mean((lut[indices] - weight) ** 2) < 0.5 * np.mean((nearest - weight) ** 2)


@pytest.mark.parametrize(
    ("scheme", "share"), [("static_wi8_ai8", 1.0), ("weight_wi8", 0.0), ("weight_p4", 0.0), ("fp16", 0.0)]
)
def test_the_audit_asks_for_integers_on_both_sides(made, scheme, share):
    for part, content in made[scheme].items():
        assert audited(content, part).mac_share == share


def test_the_audit_counts_and_tells_what_is_not_in_integers(parts, calibrated):
    recipe = Recipe(overrides=(Override("decoder.texture_up3", "weight_wi8"),))
    found = audited(made_by(recipe, [calibrated["decoder"]])["decoder"], "decoder")
    transposed = audited(parts["decoder"].content, "decoder").in_float[0]

    assert [(item.layer, item.macs, item.reason) for item in found.in_float] == [
        ("texture_up3", 56 * 56 * 16 * 4 * 3 * 3, "its weights alone are integers")
    ]
    with pytest.raises(CheckError, match="decoder is not int8"):
        found.check(where="decoder")
    assert transposed.kind == "conv_transpose"
    assert transposed.reason == "coremltools quantizes no activations of it"


def test_for_the_neural_engine_the_rest_is_float16(parts):
    recipe = Recipe(target="ane")
    part = parts["decoder"]
    content = made_by(recipe, [part.calibrate(recipe, inputs("decoder"))])["decoder"]
    found, expected = run(content, "decoder"), run(part.content, "decoder")

    assert of_layer(content, "texture_up2").outputs[0].dtype.__name__ == "fp16"
    assert audited(content, "decoder").mac_share == 1.0
    assert compare(expected["texture"], found["texture"], what="texture").psnr_db > 60
    assert compare(expected["landmarks"], found["landmarks"], what="landmarks").psnr_db > 80


def test_each_needs_no_newer_system_than_it_must(calibrated, made):
    assert {version_of(content) for of_scheme in made.values() for content in of_scheme.values()} == {8}
    assert FORMAT.minimum_runtime(made["weight_p4"]["encoder"])["iOS"] == "17"
    blocks = Recipe("weight_wi8", overrides=(Override("encoder.fc1", "weight_wi4_block32"),))
    content = made_by(blocks, [calibrated["encoder"]])["encoder"]

    assert FORMAT.minimum_runtime(content) == {"iOS": "18", "macOS": "15", "coremltools": "9.0"}
    assert size_bytes(content) < size_bytes(made["weight_wi8"]["encoder"])
    assert run(content, "encoder")["feature"].shape == (1, 16)


def test_what_core_ml_has_not_is_refused(calibrated):
    with pytest.raises(InputError, match="coreml has no scheme dynamic_wi8"):
        check_schemes(FORMAT, Recipe("dynamic_wi8"))
    with pytest.raises(InputError, match="blocks of 32 for conv1: got conv of 1 inputs"):
        made_by(Recipe("weight_wi4_block32"), [calibrated["encoder"]])


def test_the_same_part_gives_the_same_bytes(calibrated, made):
    assert made_by(Recipe(), [calibrated["decoder"]])["decoder"] == made["static_wi8_ai8"]["decoder"]


def test_packages_of_small_weights_have_a_name_of_their_own_and_verify(mobile_bundle, voices, tmp_path):
    report = quantizer.quantize(
        mobile_bundle,
        audio=voices,
        recipe=Recipe("weight_p8"),
        formats=["coreml"],
        output=tmp_path / "out.voxtoon",
        clips=1,
        judged_clips=2,
        allow=True,
    )
    lines = {verdict.limit.figure for part in report.formats[0].parts for verdict in part.verdicts}
    assert not lines & {"faster", "integer_macs"}
    assert {"angle_mean_deg", "psnr_db", "smaller"} <= lines
    with voxtoon.open_bundle(report.bundle) as bundle:
        bundle.verify_all()
        ours = [item for item in bundle.manifest.artefacts if item.precision.startswith("p8")]
        (decoder,) = (item for item in ours if item.part == "decoder")
        session = bundle.session("decoder", engine="coreml", precision=decoder.precision)
    assert {item.part for item in ours} == {"encoder", "decoder", "encoder_step", "head"}
    assert not any(item.states for item in ours)
    assert all(item.minimum_runtime["iOS"] == "17" for item in ours)
    assert session.run(inputs("decoder")[0])["landmarks"].shape == (1, 68, 2)
