"""What the ONNX lowering promises of every part, shown on a small checkpoint."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from voxtoon.agreement import compare
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError, InputError
from voxtoon_export.lowering import format_named, format_names
from voxtoon_export.lowering import onnx as lowering
from voxtoon_export.onnx_graph import FLOAT32_SHARE, specialise, with_float16_weights
from voxtoon_export.parity import torch_outputs

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("encoder", "decoder", "face_encoder")


def dimensions(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", PARTS)
def test_names_shapes_and_types_are_the_declared_ones(tiny_artefacts, tiny_variant, name, precision):
    part, graph = tiny_variant.parts[name], onnx.load_from_string(tiny_artefacts[name][precision]).graph

    for values, specs in ((graph.input, part.inputs), (graph.output, part.outputs)):
        assert [value.name for value in values] == [spec.name for spec in specs]
        assert [dimensions(value) for value in values] == [list(spec.shape) for spec in specs]
        assert {value.type.tensor_type.elem_type for value in values} == {TensorProto.FLOAT}


@pytest.mark.parametrize("frames", [259, 260, 423, 598, 1000])
def test_the_encoder_takes_any_number_of_frames(tiny_artefacts, tiny_checkpoint, frames):
    part = tiny_checkpoint.variant.parts["encoder"]
    inputs = {"frames": np.random.default_rng(frames).normal(size=(1, frames, 64, 1)).astype(np.float32)}
    expected = torch_outputs(tiny_checkpoint.network("encoder"), part, inputs)["feature"]

    found = load(tiny_artefacts["encoder"]["fp32"], precision="fp32", threads=1).run(inputs)["feature"]
    assert compare(expected, found, what="feature").max_abs_relative < 1e-5


@pytest.mark.parametrize("name", PARTS)
def test_the_file_tells_nothing_of_the_machine_it_was_made_on(tiny_artefacts, name):
    content = tiny_artefacts[name]["fp32"]
    model = onnx.load_from_string(content)

    assert str(ROOT).encode() not in content
    assert b".py" not in content
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_the_same_part_gives_the_same_bytes(tiny_artefacts, tiny_checkpoint):
    part = tiny_checkpoint.variant.parts["decoder"]
    again = format_named("onnx").lower(tiny_checkpoint.network("decoder"), part, ["fp16", "fp32"])

    assert again == tiny_artefacts["decoder"]


def float_values(content):
    """Weights by name, without what the float16 pass adds to the name."""
    model = onnx.load_from_string(content)
    arrays = {
        item.name.removesuffix("_fp16"): numpy_helper.to_array(item) for item in model.graph.initializer
    }
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


@pytest.mark.parametrize("name", PARTS)
def test_fp16_halves_all_but_the_smallest_weights(tiny_artefacts, name):
    full, light = (float_values(tiny_artefacts[name][precision]) for precision in ("fp32", "fp16"))
    kept = [array.size for array in light.values() if array.dtype == np.float32]
    halved = [array.size for array in light.values() if array.dtype == np.float16]

    assert 0 < sum(kept) <= FLOAT32_SHARE * sum(kept + halved)
    assert max(kept) <= min(halved)
    for key, array in light.items():
        np.testing.assert_array_equal(array, full[key].astype(array.dtype))


@pytest.mark.parametrize("name", PARTS)
def test_fp16_weights_cost_nothing_once_loaded(tiny_artefacts, name, tmp_path):
    """The engine folds the casts, and is left with the graph of the float32 artefact."""
    import onnxruntime

    operators = []
    for precision, content in tiny_artefacts[name].items():
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"{precision}.onnx")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(tmp_path / f"{precision}.onnx").graph.node
        operators.append(sorted(node.op_type for node in nodes))
    assert operators[0] == operators[1]


def test_a_weight_beyond_float16_is_refused_by_name(tiny_artefacts):
    model = onnx.load_from_string(tiny_artefacts["decoder"]["fp32"])
    weight = next(item for item in model.graph.initializer if item.name == "texture_fc.weight")
    weight.CopyFrom(numpy_helper.from_array(np.full(weight.dims, 1e5, np.float32), weight.name))

    with pytest.raises(CheckError, match=r"texture_fc\.weight cannot be float16: got 100000"):
        with_float16_weights(model)


def conditional(condition_input):
    """``output = input + 1`` if a condition holds, else ``input - 1``."""

    def branch(kind):
        node = helper.make_node(kind, ["input", "one"], [f"{kind}_result"])
        value = helper.make_tensor_value_info(f"{kind}_result", TensorProto.FLOAT, None)
        return helper.make_graph([node], kind, [], [value])

    graph = helper.make_graph(
        [
            helper.make_node("Equal", [condition_input, "one"], ["condition"]),
            helper.make_node(
                "If", ["condition"], ["chosen"], then_branch=branch("Add"), else_branch=branch("Sub")
            ),
            helper.make_node("Identity", ["chosen"], ["output"]),
        ],
        "conditional",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("input", "switch")],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.float32(1), "one")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize(("switch", "operator"), [(1, "Add"), (2, "Sub")])
def test_specialising_keeps_the_branch_that_a_constant_takes(switch, operator):
    constants = {"switch": np.array(switch, np.float32)}
    model = specialise(conditional("switch"), shapes={"input": [], "output": []}, constants=constants)

    assert [node.op_type for node in model.graph.node] == [operator]
    assert list(model.graph.node[0].output) == ["output"]


def test_a_branch_that_hangs_on_the_data_cannot_be_specialised():
    with pytest.raises(CheckError, match="depends on the data"):
        specialise(
            conditional("input"),
            shapes={"input": [], "output": []},
            constants={"switch": np.array(1, np.float32)},
        )


def test_a_part_beyond_the_limit_of_the_format_is_refused(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr(lowering, "MAXIMUM_BYTES", 10_000)
    part = tiny_checkpoint.variant.parts["decoder"]

    with pytest.raises(CheckError, match="decoder is too large for one ONNX file"):
        lowering.lower(tiny_checkpoint.network("decoder"), part, ["fp32"])


class Unusual(torch.nn.Module):
    def forward(self, value):
        return torch.special.bessel_j0(value)


def test_what_cannot_be_converted_is_told_with_its_layer_and_operation(tiny_checkpoint, capfd):
    network = tiny_checkpoint.network("face_encoder")
    network.relu_1 = Unusual()

    with pytest.raises(
        CheckError, match=r"face_encoder, layer relu_1, cannot be converted to ONNX at prims\.bessel_j0"
    ):
        lowering.lower(network, tiny_checkpoint.variant.parts["face_encoder"], ["fp32"])
    assert capfd.readouterr() == ("", "")


def test_converting_prints_nothing(tiny_checkpoint, capfd):
    lowering.lower(tiny_checkpoint.network("decoder"), tiny_checkpoint.variant.parts["decoder"], ["fp32"])
    assert capfd.readouterr() == ("", "")


def test_formats_are_found_by_the_name_of_their_file():
    assert "onnx" in format_names()
    assert format_named("onnx").extension == ".onnx"
    with pytest.raises(InputError, match="unknown format: got tflite, expected one of"):
        format_named("tflite")
