"""A LiteRT artefact with one thing wrong is caught by its check against torch, whatever it is."""

import numpy as np
import pytest

from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError
from voxtoon_export.layer_outputs import where_it_appears
from voxtoon_export.litert_model import read, written
from voxtoon_export.lowering import litert
from voxtoon_export.parity import Case, check_artefact, torch_outputs

pytest.importorskip("litert_torch", reason="lowering to LiteRT needs voxtoon[export]")

from ai_edge_litert import schema_py_generated as schema


@pytest.fixture(scope="module")
def network(tiny_checkpoint):
    return tiny_checkpoint.network("face_encoder")


@pytest.fixture(scope="module")
def face_encoder(network):
    """The bytes of the artefact, and a case to check it on."""
    part = network.spec
    inputs = {"image": np.random.default_rng(0).uniform(size=part.input.shape).astype(np.float32)}
    case = Case("noise", inputs, torch_outputs(network, part, inputs))
    return litert.lower(network, part, ["fp32"])["fp32"], case


def check(content, case):
    session = ENGINES["litert"].load(content, precision="fp32", threads=1)
    tolerance = litert.FORMAT.tolerances["fp32"]
    return check_artefact(session, [case], tolerance=tolerance, where="face_encoder litert fp32")


def operators(model, code):
    index = [entry.builtinCode for entry in model.operatorCodes].index(code)
    return [operator for operator in model.subgraphs[0].operators if operator.opcodeIndex == index]


def constant(model, tensor, dtype=np.float32):
    """The values of a constant, to be changed in place."""
    buffer = model.buffers[model.subgraphs[0].tensors[tensor].buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    return buffer.data.view(dtype)


def change_a_weight(model):
    weight = constant(model, operators(model, schema.BuiltinOperator.CONV_2D)[1].inputs[1])
    weight[0] += 0.01 * np.abs(weight).max()


def drop_a_bias(model):
    constant(model, operators(model, schema.BuiltinOperator.CONV_2D)[1].inputs[2])[:] = 0


def shift_the_padding(model):
    around = constant(model, operators(model, schema.BuiltinOperator.PAD)[0].inputs[1], np.int32)
    height = around.reshape(4, 2)[1]
    assert height.tolist() == [1, 1]
    height[:] = [0, 2]


def swap_an_activation(model):
    operators(model, schema.BuiltinOperator.CONV_2D)[
        0
    ].builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE


def changed(content, change):
    model = read(content)
    change(model)
    return written(model)


def place(content, case, network):
    values = list(litert.FORMAT.intermediates(content, case.inputs))
    return where_it_appears(values, network, case.inputs, tolerance=litert.FORMAT.tolerances["fp32"])


def test_as_it_was_made_it_passes_and_goes_wrong_nowhere(face_encoder, network):
    assert check(*face_encoder).keys() == {"feature"}
    assert place(*face_encoder, network) is None


@pytest.mark.parametrize(
    ("change", "before", "kind"),
    [
        (change_a_weight, "conv2", "CONV_2D"),
        (drop_a_bias, "conv2", "CONV_2D"),
        (shift_the_padding, "conv1", "CONV_2D"),
        (swap_an_activation, "relu_1", "MUL"),
    ],
)
def test_with_one_thing_changed_it_fails_and_the_first_wrong_operator_is_named(
    face_encoder, network, change, before, kind
):
    content, case = face_encoder
    broken = changed(content, change)
    with pytest.raises(
        CheckError, match="face_encoder litert fp32 fails on noise: feature: max_abs_relative"
    ):
        check(broken, case)
    found = place(broken, case, network)
    assert (found.before, found.operations[-1][0]) == (before, kind)
