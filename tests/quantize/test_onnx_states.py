"""The states of an ONNX step: each on the grid of the convolution that reads it, and unsigned."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.quantize.conftest import with_tensor
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError
from voxtoon_quantize.graph import Graph
from voxtoon_quantize.graph_state import continued, is_continued_state, states
from voxtoon_quantize.onnx_states import state_grids

STEP = "encoder_step"
ANGLES = {"angle_mean_deg", "angle_p95_deg"}


@pytest.fixture(scope="module")
def known(streamed_parts):
    return streamed_parts("onnx")


@pytest.fixture(scope="module")
def made(known):
    return known.made()


def test_what_the_step_is_calibrated_on_makes_the_same_outputs(known):
    part = known.calibrated[STEP].part
    before, after = (
        known.outputs(load(content, precision="fp32", threads=1))
        for content in (part.content, part.calibrated)
    )

    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()
    kinds = {node.op_type for node in onnx.load_from_string(part.calibrated).graph.node}
    assert "BatchNormalization" not in kinds  # all are behind a state now


def test_a_state_is_on_the_grid_of_the_convolution_that_reads_it(made):
    graph = Graph(onnx.load_from_string(made[STEP]))
    grids = state_grids(onnx.load_from_string(made[STEP]))

    for node in [node for node in graph.nodes if is_continued_state(graph, node)]:
        state = continued(graph, node.output[0])
        (read,) = state.read
        (reader,) = (node for node in graph.consumers(read) if node.op_type == "DequantizeLinear")
        assert graph.only_consumer(reader.output[0]).op_type == "Conv"
        assert graph.tensors[reader.input[1]].item() == grids[state.name].scale
    assert len(grids) == len(states(graph)) - 1


@pytest.mark.parametrize("kind", ["QuantizeLinear", "DequantizeLinear"])
def test_a_state_that_another_grid_is_put_behind_is_refused(known, made, kind):
    model = onnx.load_from_string(made[STEP])
    node = next(
        node for node in model.graph.node if node.op_type == kind and node.input[1].endswith("grid_scale")
    )
    scale = next(item for item in model.graph.initializer if item.name == node.input[1])
    other = onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(scale), "other_scale")
    model.graph.initializer.append(other)
    node.input[1] = "other_scale"

    with pytest.raises(CheckError, match="state_0 is not on one grid"):
        known.load(model.SerializeToString())


def test_a_step_that_hears_something_else_misses_the_angle_and_the_encoder_does_not(known, made):
    name = next(
        item.name
        for item in onnx.load_from_string(made[STEP]).graph.initializer
        if item.name.startswith("conv5.weight") and item.name.endswith("quantized")
    )
    broken = {**made, STEP: with_tensor(made[STEP], name, lambda weight: weight[::-1])}

    assert known.missed(broken, STEP) >= ANGLES
    whole_clips = known.judged.quality(broken)
    assert whole_clips == known.judged.quality(made)


def test_signed_targets_have_unsigned_state_which_every_processor_has_kernels_for(known):
    step = known.step(replace(known.recipe, target="arm"))

    assert {grid.dtype for grid in state_grids(onnx.load_from_string(step)).values()} == {"uint8"}
