"""The states of a LiteRT step: integers that are moved and nothing else, all on one grid."""

import numpy as np
import pytest

from voxtoon.errors import CheckError
from voxtoon_export.litert_model import kind, read, written
from voxtoon_quantize.graph_state import NEXT, continued, is_continued_state, states
from voxtoon_quantize.litert_states import LitertFlow, state_grids

pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")


@pytest.fixture(scope="module")
def known(streamed_parts):
    return streamed_parts("litert")


@pytest.fixture(scope="module")
def step(known):
    return known.step()


def test_every_tensor_on_the_way_of_a_state_is_on_its_grid(step):
    flow, grids = LitertFlow(read(step)), state_grids(step)
    found = [node for node in flow.nodes if is_continued_state(flow, node)]

    assert len(found) == len(grids) == len(states(flow)) - 1
    for node in found:
        state = continued(flow, node.output[0])
        assert {flow.grid(name) for name in state.tensors} == {grids[state.name]}
        assert {reader.op_type for name in state.read for reader in flow.consumers(name)} <= {
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
        }


def test_frames_are_rounded_once_and_nothing_else_is_converted(step):
    model = read(step)
    (graph,) = model.subgraphs
    flow = LitertFlow(model)
    converted = [
        (node.op_type, *node.input) for node in flow.nodes if node.op_type in ("QUANTIZE", "DEQUANTIZE")
    ]

    assert converted == [("QUANTIZE", "frames"), ("DEQUANTIZE", "conv9")]
    assert len(graph.operators) == len(flow.nodes)
    assert not {kind(model, operator) for operator in graph.operators} & {"SUB", "BATCH_NORM"}


def test_the_range_of_a_state_is_that_of_what_its_layer_reads(known, step):
    flow = LitertFlow(known.calibrated["encoder_step"].part.model)
    for node in [node for node in flow.nodes if is_continued_state(flow, node)]:
        state = continued(flow, node.output[0])
        seen = known.calibrated["encoder_step"].seen[flow.own_name(state.output)]
        span = max(0.0, seen.maximum) - min(0.0, seen.minimum)
        assert state_grids(step)[state.name].scale == pytest.approx(span / 255, rel=1e-5)


@pytest.mark.parametrize("successor", [False, True])
def test_a_state_that_another_grid_is_put_behind_is_refused(step, successor):
    """Only some of LiteRT's kernels look at it; the others copy integers all the same."""
    model = read(step)
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    name = NEXT + "state_1" if successor else "state_1"
    place = next(
        item.tensorIndex for item in (*signature.inputs, *signature.outputs) if item.name.decode() == name
    )
    quantization = graph.tensors[place].quantization
    quantization.scale = 2 * np.asarray(quantization.scale)

    with pytest.raises(CheckError, match="state_1 is not on one grid"):
        state_grids(written(model))


def test_a_state_that_nothing_is_put_behind_is_refused(step):
    model = read(step)
    (graph,) = model.subgraphs
    flow = LitertFlow(model)
    joined = next(number for number, node in enumerate(flow.nodes) if "state_2" in node.input)
    operator = graph.operators[joined]
    operator.inputs = [index for index in operator.inputs if flow.names[index] != "state_2"]

    with pytest.raises(CheckError, match="state_2 is kept in integers: got nothing put behind it"):
        state_grids(written(model))
