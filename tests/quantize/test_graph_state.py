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
CUTS = {"all": (4, 6), "n": (2, 4), "state": (0, 2)}


def step(*, masked=False, cut="all", channel_last=False):
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
    time = 1 if channel_last else 2
    indices = {"start": [CUTS[cut][0]], "end": [CUTS[cut][1]], "axis": [time]}
    new = "new" if masked else "n"
    whole = "n_last" if channel_last and cut == "n" else cut
    turned = {"n_last": (new, [0, 2, 3, 1]), "all_first": ("all", [0, 3, 1, 2])} if channel_last else {}
    turn = {
        name: helper.make_node("Transpose", [source], [name], perm=perm)
        for name, (source, perm) in turned.items()
    }
    nodes = [
        helper.make_node("BatchNormalization", ["x", *NORM], ["n"], epsilon=1e-5),
        *([helper.make_node("Mul", ["n", "mask"], ["new"])] if masked else []),
        *([turn["n_last"]] if turn else []),
        helper.make_node("Concat", ["state", "n_last" if turn else new], ["all"], axis=time),
        helper.make_node("Slice", [whole, "start", "end", "axis"], ["next_state"]),
        *([turn["all_first"]] if turn else []),
        helper.make_node("Conv", ["all_first" if turn else "all", "conv.weight", "conv.bias"], ["y"]),
    ]
    state = [1, 2, 5, 2] if channel_last else [1, 2, 2, 5]
    shapes = {"x": [1, 2, 4, 5], "state": state, "y": [1, 3, 4, 5], "next_state": state}
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
    shape = [axis.dim_value for axis in model.graph.input[1].type.tensor_type.shape.dim]
    state, outputs = np.zeros(shape, np.float32), []
    for piece in pieces:
        made = session.run({"x": piece, "state": state})
        state = made["next_state"]
        outputs.append(made["y"])
    return np.concatenate(outputs, axis=2)


@pytest.mark.parametrize("cut", ["all", "n"])
def test_a_state_is_what_comes_before_what_is_new_and_is_kept_from_it(cut):
    graph = Graph(step(cut=cut))
    found = continued(graph, "all")

    assert states(graph) == ("state",)
    assert (found.name, found.successor, found.made, found.read) == ("state", "next_state", ("n",), ("all",))
    assert set(found.tensors) == {"state", "n", "all", "next_state"}
    assert [node.op_type for node in graph.nodes if is_kept(graph, node)] == ["Slice"]


def test_a_state_is_found_where_its_channels_come_last():
    found = continued(Graph(step(channel_last=True)), "all_first")

    assert (found.name, found.output, found.made, found.read) == ("state", "all", ("n",), ("all_first",))
    assert set(found.tensors) == {"state", "n", "n_last", "all", "all_first", "next_state"}


def test_what_is_joined_and_not_kept_is_no_state():
    assert continued(Graph(step(cut="state")), "all") is None


@pytest.mark.parametrize("cut", ["all", "n"])
@pytest.mark.parametrize("channel_last", [False, True])
def test_a_norm_goes_across_a_state_and_the_outputs_after_its_beginning_are_the_same(channel_last, cut):
    rng = np.random.default_rng(1)
    pieces = rng.normal(size=(3, 1, 2, 4, 5)).astype(np.float32)
    float_step = step(channel_last=channel_last, cut=cut)
    model, changed = rewrite(float_step)

    assert changed["fold_batch_norm"] == ["conv"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    before, after = (called(found, pieces)[:, :, 2:] for found in (float_step, model))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize(
    "changes", [{"masked": True}, {"cut": "state"}, {"masked": True, "channel_last": True}]
)
def test_a_norm_stays_where_the_beginning_is_seen_or_nothing_is_kept(changes):
    assert rewrite(step(**changes))[1]["fold_batch_norm"] == []
