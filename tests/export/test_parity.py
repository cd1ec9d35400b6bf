"""Parity fails closed: whatever is wrong with an artefact, it does not pass."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from voxtoon.agreement import Tolerance
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError, InputError
from voxtoon_export.checkpoint_manifest import face_entry
from voxtoon_export.golden import sample_voice
from voxtoon_export.layer_outputs import where_it_appears
from voxtoon_export.lowering import format_named
from voxtoon_export.parity import check_artefact, read_clip, reference_cases

ROOT = Path(__file__).resolve().parents[2]
FORMAT = format_named("onnx")


@pytest.fixture(scope="module")
def modules(tiny_checkpoint):
    return {
        name: (part, tiny_checkpoint.network(name)) for name, part in tiny_checkpoint.variant.parts.items()
    }


@pytest.fixture(scope="module")
def cases(tiny_checkpoint, modules):
    clips = [sample_voice(), read_clip(ROOT / "samples/voice_8k.wav")]
    front_end, face = tiny_checkpoint.variant.front_end, face_entry(tiny_checkpoint)
    return reference_cases(modules, clips, front_end=front_end, face=face)


def check(content, cases, *, precision="fp32", where="part onnx fp32"):
    session = load(content, precision=precision, threads=1)
    return check_artefact(session, cases, tolerance=FORMAT.tolerances[precision], where=where)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ["encoder", "decoder", "face_encoder"])
def test_what_the_lowering_makes_passes(tiny_artefacts, tiny_variant, cases, name, precision):
    found = check(tiny_artefacts[name][precision], cases[name], precision=precision)

    assert set(found) == {output.name for output in tiny_variant.parts[name].outputs}


def test_the_encoder_is_checked_at_several_lengths_of_every_clip(cases):
    assert [case.name for case in cases["encoder"]] == [
        "the sample voice, 259 frames",
        "the sample voice, 299 frames",
        "the sample voice",
        "voice_8k.wav, 259 frames",
        "voice_8k.wav, 299 frames",
        "voice_8k.wav",
    ]


def test_the_face_encoder_sees_the_face_that_the_decoder_draws(cases):
    image = cases["face_encoder"][0].inputs["image"]

    assert image.shape == (1, 56, 56, 3)
    assert 0 < image.min() < image.max() < 1


def weights(model, name):
    return next(item for item in model.graph.initializer if item.name == name)


def one_weight_changed(model, name):
    array = numpy_helper.to_array(weights(model, name)).copy()
    array.flat[array.size // 2] += array.std()
    weights(model, name).CopyFrom(numpy_helper.from_array(array, name))


def bias_dropped(model, name):
    array = numpy_helper.to_array(weights(model, name))
    weights(model, name).CopyFrom(numpy_helper.from_array(np.zeros_like(array), name))


def activation_swapped(model, kind):
    node = next(node for node in model.graph.node if node.op_type == kind)
    node.op_type = {"Relu": "LeakyRelu", "Sigmoid": "HardSigmoid"}[kind]


def padding_shifted(model, _):
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    pads = next(attribute for attribute in node.attribute if attribute.name == "pads")
    assert list(pads.ints) == [1, 1, 1, 1]
    pads.ints[:] = [0, 1, 2, 1]


def not_a_number(model, name):
    array = np.full_like(numpy_helper.to_array(weights(model, name)), np.nan)
    weights(model, name).CopyFrom(numpy_helper.from_array(array, name))


def output_renamed(model, name):
    for node in model.graph.node:
        node.output[:] = ["other" if output == name else output for output in node.output]
    next(value for value in model.graph.output if value.name == name).name = "other"


def one_length_only(model, _):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 598


@pytest.mark.parametrize(
    ("part", "breaking", "what", "says"),
    [
        ("encoder", one_weight_changed, "conv1.weight", "feature: max_abs_relative"),
        ("encoder", one_weight_changed, "conv9.weight", "feature: max_abs_relative"),
        ("encoder", one_weight_changed, "fc2.weight", "feature: max_abs_relative"),
        ("encoder", bias_dropped, "conv5.bias", "feature: max_abs_relative"),
        ("encoder", bias_dropped, "fc2.bias", "feature: max_abs_relative"),
        ("encoder", activation_swapped, "Relu", "feature: max_abs_relative"),
        ("encoder", not_a_number, "fc2.bias", "output of feature holds values that are not finite"),
        ("encoder", output_renamed, "feature", "no such output: got other, expected feature"),
        ("encoder", one_length_only, "frames", "onnx could not run it"),
        ("decoder", one_weight_changed, "texture_up2.weight", "texture: max_abs_relative"),
        ("decoder", bias_dropped, "texture_rgb.bias", "texture: max_abs_relative"),
        ("decoder", bias_dropped, "landmarks_fc2.bias", "landmarks: max_abs_relative"),
        ("decoder", activation_swapped, "Sigmoid", "texture: max_abs_relative"),
        ("decoder", activation_swapped, "Relu", "max_abs_relative"),
        ("face_encoder", one_weight_changed, "conv1.weight", "feature: max_abs_relative"),
        ("face_encoder", padding_shifted, "conv1", "feature: max_abs_relative"),
    ],
)
def test_a_broken_artefact_is_caught(tiny_artefacts, cases, part, breaking, what, says):
    model = onnx.load_from_string(tiny_artefacts[part]["fp32"])
    breaking(model, what)

    with pytest.raises(CheckError, match=re.escape(says)) as caught:
        check(model.SerializeToString(), cases[part], where=f"{part} onnx fp32")
    assert str(caught.value).startswith(f"{part} onnx fp32 fails on the sample voice")
    assert "no bundle was written" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "breaking", "what", "before", "kind"),
    [
        ("encoder", one_weight_changed, "conv5.weight", "conv5", "Conv"),
        ("encoder", bias_dropped, "fc2.bias", "fc2", "Gemm"),
        ("face_encoder", padding_shifted, "conv1", "conv1", "Conv"),
        ("decoder", activation_swapped, "Sigmoid", "sigmoid_14", "HardSigmoid"),
    ],
)
def test_the_first_node_that_is_wrong_is_named(
    tiny_artefacts, modules, cases, part, breaking, what, before, kind
):
    model = onnx.load_from_string(tiny_artefacts[part]["fp32"])
    network, inputs, tolerance = modules[part][1], cases[part][-1].inputs, FORMAT.tolerances["fp32"]

    def place():
        values = list(FORMAT.intermediates(model.SerializeToString(), inputs))
        return where_it_appears(values, network, inputs, tolerance=tolerance)

    assert place() is None
    breaking(model, what)
    assert (place().before, place().operations[-1][0]) == (before, kind)


def test_float16_would_not_pass_for_float32(tiny_artefacts, cases):
    with pytest.raises(CheckError, match="expected at most 1e-05"):
        check(tiny_artefacts["encoder"]["fp16"], cases["encoder"])


def test_the_last_clip_counts_as_much_as_the_first(tiny_artefacts, cases):
    *good, last = cases["decoder"]
    moved = {name: array + np.float32(0.01) for name, array in last.outputs.items()}
    bad = type(last)(last.name, last.inputs, moved)

    with pytest.raises(CheckError, match=r"fails on voice_8k\.wav"):
        check(tiny_artefacts["decoder"]["fp32"], [*good, bad])


def test_no_audio_is_no_proof(tiny_artefacts):
    with pytest.raises(CheckError, match="cannot be checked: there is no audio"):
        check(tiny_artefacts["encoder"]["fp32"], [])


def test_a_part_whose_input_nothing_makes_cannot_be_checked(tiny_checkpoint, modules):
    alone = {"decoder": modules["decoder"]}
    with pytest.raises(CheckError, match="decoder cannot be checked: nothing makes its input: got feature"):
        reference_cases(alone, [sample_voice()], front_end=tiny_checkpoint.variant.front_end, face=None)


def test_the_worst_case_is_what_is_reported(tiny_artefacts, cases):
    session = load(tiny_artefacts["encoder"]["fp16"], precision="fp16", threads=1)
    tolerance = Tolerance(psnr_db=40.0)

    def psnr_db(some):
        return check_artefact(session, some, tolerance=tolerance, where="")["feature"].psnr_db

    assert psnr_db(cases["encoder"]) == min(psnr_db([case]) for case in cases["encoder"])


def test_too_short_a_sound_is_refused(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "short.wav", np.zeros(8000), 16000)
    with pytest.raises(InputError, match="too short to check on"):
        read_clip(tmp_path / "short.wav")
