"""The state of a stream is found in a graph; batch norms go across it only where none sees its start."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxtoon.engines.onnx import load
from voxtoon_quantize.graph import Graph
from voxtoon_quantize.graph_state import continued, is_kept, states
from voxtoon_quantize.rewrites import rewrite

NORM = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]


def step(*, masked=False, kept=True):
    """A batch norm whose last two frames a convolution over three keeps for the next call."""
    rng = np.random.default_rng(0)
    tensors = {
        "bn.weight": rng.normal(size=2),
        "bn.bias": rng.normal(size=2),
        "bn.running_mean": rng.normal(size=2),
        "bn.running_var": rng.random(2) + 0.5,
        "conv.weight": rng.normal(size=(3, 2, 3, 1)),
        "conv.bias": rng.normal(size=3),
        "mask": np.full((1, 1, 1, 1), 1.0),
    }
    indices = {"start": [4 if kept else 0], "end": [6 if kept else 2], "axis": [2]}
    nodes = [
        helper.make_node("BatchNormalization", ["x", *NORM], ["n"], epsilon=1e-5),
        *([helper.make_node("Mul", ["n", "mask"], ["new"])] if masked else []),
        helper.make_node("Concat", ["state", "new" if masked else "n"], ["all"], axis=2),
        helper.make_node("Slice", ["all" if kept else "state", "start", "end", "axis"], ["next_state"]),
        helper.make_node("Conv", ["all", "conv.weight", "conv.bias"], ["y"]),
    ]
    shapes = {"x": [1, 2, 4, 5], "state": [1, 2, 2, 5], "y": [1, 3, 4, 5], "next_state": [1, 2, 2, 5]}
    edges = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    }
    graph = helper.make_graph(
        nodes,
        "step",
        [edges["x"], edges["state"]],
        [edges["y"], edges["next_state"]],
        [
            *(numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()),
            *(numpy_helper.from_array(np.array(value), name) for name, value in indices.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def called(model, pieces):
    """The outputs of one call after another."""
    session = load(model.SerializeToString(), precision="fp32", threads=1)
    state, outputs = np.zeros((1, 2, 2, 5), np.float32), []
    for piece in pieces:
        made = session.run({"x": piece, "state": state})
        state = made["next_state"]
        outputs.append(made["y"])
    return np.concatenate(outputs, axis=2)


def test_a_state_is_what_comes_before_what_is_new_and_is_kept_from_it():
    graph = Graph(step())
    found = continued(graph, "all")

    assert states(graph) == ("state",)
    assert (found.name, found.successor, found.made, found.read) == ("state", "next_state", ("n",), ("all",))
    assert set(found.tensors) == {"state", "n", "all", "next_state"}
    assert [node.op_type for node in graph.nodes if is_kept(graph, node)] == ["Slice"]


def test_what_is_joined_and_not_kept_is_no_state():
    assert continued(Graph(step(kept=False)), "all") is None


def test_a_norm_goes_across_a_state_and_the_outputs_after_its_beginning_are_the_same():
    rng = np.random.default_rng(1)
    pieces = rng.normal(size=(3, 1, 2, 4, 5)).astype(np.float32)
    model, changed = rewrite(step())

    assert changed["fold_batch_norm"] == ["conv"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    before, after = (called(found, pieces)[:, :, 2:] for found in (step(), model))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("changes", [{"masked": True}, {"kept": False}])
def test_a_norm_stays_where_the_beginning_is_seen_or_nothing_is_kept(changes):
    assert rewrite(step(**changes))[1]["fold_batch_norm"] == []
