"""What is counted in a model, on models small enough to count by hand."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxtoon import InputError
from voxtoon_export.onnx_summary import summarise


def value(name, shape=("batch", 4)):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(nodes, weights=None):
    initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


SCALE = {"s": np.float32(0.1), "z": np.int8(0)}


def test_a_float_layer():
    found = summarise(
        model(
            [
                helper.make_node("MatMul", ["x", "w"], ["h"]),
                helper.make_node("Reshape", ["h", "shape"], ["y"]),
            ],
            {"w": np.zeros((4, 4), np.float32), "shape": np.array([-1, 4])},
        )
    )
    assert (found.float_operators, found.integer_operators, found.other_operators) == (1, 0, 1)
    assert found.parameters == 16
    assert found.inputs == {"x": ("batch", 4)}
    assert found.outputs == {"y": ("batch", 4)}
    assert found.opset == 17
    assert found.operators == {"MatMul": 1, "Reshape": 1}


def quantized(first, *, also=()):
    return model(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
            helper.make_node(first, ["xd", "wd"], ["h"]),
            helper.make_node("QuantizeLinear", ["h", "s", "z"], ["hq"]),
            helper.make_node("DequantizeLinear", ["hq", "s", "z"], ["y"]),
            *also,
        ],
        {"w": np.zeros((4, 4), np.int8), **SCALE},
    )


def test_an_operator_between_dequantize_and_quantize_computes_in_integers():
    found = summarise(quantized("MatMul"))
    assert (found.float_operators, found.integer_operators, found.other_operators) == (0, 1, 5)


def test_but_not_where_its_float_output_is_read_as_well():
    found = summarise(quantized("MatMul", also=[helper.make_node("Relu", ["h"], ["r"])]))
    assert (found.float_operators, found.integer_operators) == (2, 0)


@pytest.mark.parametrize("kind", ["MatMulInteger", "QLinearMatMul", "ConvInteger"])
def test_operators_of_integers_are_told_by_their_names(kind):
    found = summarise(model([helper.make_node(kind, ["x", "w"], ["y"])], {"w": np.zeros((4, 4), np.int8)}))
    assert (found.float_operators, found.integer_operators) == (0, 1)


def test_the_branches_of_an_if_are_counted():
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [value("r")])
    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    assert summarise(model([chosen], {"c": np.array(True)})).operators == {"Relu": 2, "If": 1}


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 100])
def test_what_is_no_model_is_bad_input(content):
    with pytest.raises(InputError, match="not an ONNX model"):
        summarise(content)
