"""What the LiteRT lowering promises of every part, shown on a small checkpoint."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from voxtoon.agreement import compare
from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError, InputError
from voxtoon.front_end import LOG_MEL
from voxtoon_export.layers import BatchNorm
from voxtoon_export.lowering import format_named, litert
from voxtoon_export.onnx_graph import FLOAT32_SHARE
from voxtoon_export.parity import torch_outputs

torch = pytest.importorskip("torch", reason="lowering needs voxtoon[export]")
pytest.importorskip("litert_torch", reason="lowering to LiteRT needs voxtoon[export]")

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("encoder", "decoder", "face_encoder")


@pytest.fixture(scope="module")
def lowered(tiny_checkpoint):
    """Part name to precision to the bytes of a TFLite file."""
    return {
        name: format_named("litert").lower(tiny_checkpoint.network(name), part, ["fp32", "fp16"])
        for name, part in tiny_checkpoint.variant.parts.items()
    }


def load(content):
    return ENGINES["litert"].load(content, precision="fp32", threads=1)


def interpreter(content):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=content, experimental_op_resolver_type=plain)


def operators(content):
    return Counter(operator["op_name"] for operator in interpreter(content)._get_ops_details())


def inputs_of(part, frames=598):
    generator = np.random.default_rng(0)
    shape = [frames if isinstance(size, str) else size for size in part.input.shape]
    return {part.input.name: generator.normal(size=shape).astype(np.float32)}


@pytest.mark.parametrize("name", PARTS)
def test_every_output_is_that_of_torch(lowered, tiny_checkpoint, name):
    part = tiny_checkpoint.variant.parts[name]
    inputs = inputs_of(part)
    expected = torch_outputs(tiny_checkpoint.network(name), part, inputs)

    found = {precision: load(content).run(inputs) for precision, content in lowered[name].items()}
    for output, array in expected.items():
        assert compare(array, found["fp32"][output], what=output).max_abs_relative < 1e-5
        assert compare(array, found["fp16"][output], what=output).psnr_db > 60


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", PARTS)
def test_the_signature_has_the_declared_names(lowered, tiny_variant, name, precision):
    part = tiny_variant.parts[name]
    signatures = interpreter(lowered[name][precision]).get_signature_list()

    assert list(signatures) == [name]
    assert signatures[name]["inputs"] == [item.name for item in part.inputs]
    assert sorted(signatures[name]["outputs"]) == sorted(item.name for item in part.outputs)


@pytest.mark.parametrize("name", PARTS)
def test_nothing_is_transposed_and_batch_norms_leave_at_most_two_operators(lowered, tiny_variant, name):
    found = operators(lowered[name]["fp32"])

    assert found["TRANSPOSE"] == 0
    assert found["TRANSPOSE_CONV"] == 0
    norms = sum(type(layer) is BatchNorm for layer in tiny_variant.parts[name].layers)
    assert found["SUB"] == 0
    assert found["MUL"] == found["ADD"] <= norms


@pytest.mark.parametrize("name", PARTS)
def test_there_is_nothing_that_accelerators_refuse(lowered, name):
    for content in lowered[name].values():
        assert not {"CUSTOM", "STABLEHLO_COMPOSITE", "GATHER_ND"} & operators(content).keys()
        assert {detail["dtype"] for detail in interpreter(content).get_tensor_details()} <= {
            np.float32,
            np.float16,
            np.int32,
        }


def test_the_encoder_is_its_convolutions_and_little_else(lowered):
    """All its batch norms are gone, and the mean over time is an operator of its own."""
    assert operators(lowered["encoder"]["fp32"]) == {
        "DEPTHWISE_CONV_2D": 1,  # of the first convolution's one channel
        "CONV_2D": 8,
        "MAX_POOL_2D": 4,
        "MEAN": 1,
        "RELU": 1,  # the one after the mean, which no convolution can take
        "RESHAPE": 1,
        "FULLY_CONNECTED": 2,
    }


@pytest.mark.parametrize("frames", [259, 260, 423, 598, 1000])
def test_the_encoder_takes_any_number_of_frames(lowered, tiny_checkpoint, frames):
    part = tiny_checkpoint.variant.parts["encoder"]
    inputs = inputs_of(part, frames)
    expected = torch_outputs(tiny_checkpoint.network("encoder"), part, inputs)["feature"]

    found = load(lowered["encoder"]["fp32"]).run(inputs)["feature"]
    assert compare(expected, found, what="feature").max_abs_relative < 1e-5


def test_the_time_axis_is_written_as_long_as_a_clip(lowered):
    shape = interpreter(lowered["encoder"]["fp32"]).get_input_details()[0]["shape"]
    assert shape.tolist() == [1, LOG_MEL.frame_count(LOG_MEL.clip_samples), 64, 1]


def test_the_same_part_gives_the_same_bytes(lowered, tiny_checkpoint):
    part = tiny_checkpoint.variant.parts["decoder"]
    again = format_named("litert").lower(tiny_checkpoint.network("decoder"), part, ["fp16", "fp32"])

    assert again == lowered["decoder"]


@pytest.mark.parametrize("name", PARTS)
def test_the_file_tells_nothing_of_the_machine_it_was_made_on(lowered, name):
    for content in lowered[name].values():
        assert str(ROOT).encode() not in content
        assert b".py" not in content


@pytest.mark.parametrize("name", PARTS)
def test_fp16_halves_all_but_the_smallest_weights(lowered, name):
    sizes = {np.float16: [], np.float32: []}
    light = interpreter(lowered[name]["fp16"])
    results = {index for operator in light._get_ops_details() for index in operator["outputs"]}
    edges = {detail["index"] for detail in light.get_input_details()}
    for detail in light.get_tensor_details():
        if detail["index"] not in results | edges and detail["dtype"] in sizes:
            sizes[detail["dtype"]].append(int(np.prod(detail["shape"])))

    kept, halved = sizes[np.float32], sizes[np.float16]
    assert 0 < sum(kept) <= FLOAT32_SHARE * sum(kept + halved)
    assert max(kept) <= min(halved)


def test_a_weight_beyond_float16_is_refused_by_name(tiny_checkpoint):
    network = tiny_checkpoint.network("decoder")
    torch.nn.init.constant_(network.texture_fc.weight, 1e5)

    with pytest.raises(CheckError, match="cannot be float16: got 100000"):
        litert.lower(network, tiny_checkpoint.variant.parts["decoder"], ["fp16"])


def test_an_unknown_precision_is_refused(tiny_checkpoint):
    with pytest.raises(InputError, match="unknown precision for litert: got int4, expected fp32, fp16"):
        litert.lower(tiny_checkpoint.network("decoder"), tiny_checkpoint.variant.parts["decoder"], ["int4"])


class Unusual(torch.nn.Module):
    def forward(self, value):
        return torch.linalg.svdvals(value)[..., None] + value


def test_what_cannot_be_converted_is_told_with_its_layer_and_operation(tiny_checkpoint):
    network = tiny_checkpoint.network("face_encoder")
    network.relu_1 = Unusual()

    with pytest.raises(
        CheckError, match=r"face_encoder, layer relu_1, cannot be converted .* at aten\._linalg_svd"
    ):
        litert.lower(network, tiny_checkpoint.variant.parts["face_encoder"], ["fp32"])


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_its_operators_are_counted_as_the_interpreter_lists_them(lowered, precision):
    content = lowered["decoder"][precision]
    counted = format_named("litert").operators(content)
    assert counted == operators(content)
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


def test_converting_prints_nothing(tiny_checkpoint, capfd):
    litert.lower(tiny_checkpoint.network("decoder"), tiny_checkpoint.variant.parts["decoder"], ["fp32"])
    assert capfd.readouterr() == ("", "")
