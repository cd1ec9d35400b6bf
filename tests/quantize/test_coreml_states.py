"""The states of a Core ML step: floats that lie on the grid of the layer that reads them, exactly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon.errors import CheckError
from voxtoon.streaming_encoder import StreamingEncoder
from voxtoon_export.coreml_reference.operations.quantisation import dequantize, quantize

pytest.importorskip("coremltools", reason="quantizing Core ML needs voxtoon[export]")

from coremltools.converters.mil import Builder

from voxtoon_quantize.coreml_activations import grid
from voxtoon_quantize.coreml_program import changed, graph_pass
from voxtoon_quantize.coreml_states import state_grids
from voxtoon_quantize.recipe import Override

STEP = "encoder_step"


@pytest.fixture(scope="module")
def known(streamed_parts):
    return streamed_parts("coreml")


@pytest.fixture(scope="module")
def step(known):
    return known.step()


def kept(known, content):
    """What a stream keeps after a clip."""
    stream = StreamingEncoder(known.load(content), None, known.spec)
    stream.push(known.frames[0])
    return stream.state.states


@given(st.floats(-100, 0), st.floats(0, 100), st.sampled_from([np.float16, np.float32]))
def test_what_lies_on_a_grid_is_rounded_to_itself(low, high, real):
    scale, zero = (np.asarray(value) for value in grid(low, high))
    levels = np.arange(-128, 128)
    values = dequantize(levels, scale=real(scale).astype(np.float32), zero_point=zero).astype(real)

    again = quantize(values.astype(np.float32), real(scale).astype(np.float32), "int8", zero)
    np.testing.assert_array_equal(again, levels)


def test_what_is_kept_is_whole_steps_of_its_grid(known, step):
    grids = state_grids(step)

    assert set(grids) == set(known.spec.states) - {"position"}
    for name, state in kept(known, step).items():
        assert state.dtype == np.float32
        if name in grids:
            steps = state / np.float32(grids[name].scale) + grids[name].zero_point
            np.testing.assert_array_equal(steps, np.round(steps))
            assert len(np.unique(steps)) > 20
            assert -128 <= steps.min() <= steps.max() <= 127


def test_for_the_neural_engine_it_is_what_float16_makes_of_whole_steps(known):
    part, recipe = known.calibrated[STEP].part, replace(known.recipe, target="ane")
    floats = known.judged.floats[STEP]
    calls, _ = known.streamed.heard(floats, known.frames)
    content = part.calibrate(recipe, calls).quantize(recipe.schemes(STEP, part.layers), recipe)
    grids = state_grids(content)

    assert set(grids) == set(known.spec.states) - {"position"}
    states = kept(known, content)
    for name, found in grids.items():
        steps = np.round(states[name] / np.float32(found.scale))
        np.testing.assert_array_equal(states[name], (steps * found.scale).astype(np.float16))
    assert np.abs(known.outputs(known.load(content)) - known.outputs(known.load(known.step()))).max() < 1


def test_where_a_layer_stays_float_its_state_lies_on_no_grid(known):
    layers = known.calibrated[STEP].part.layers
    recipe = replace(known.recipe, overrides=(Override(f"encoder.{layers[3]}", "fp32"),))

    assert "state_3" not in state_grids(known.step(recipe))


def test_a_state_that_another_grid_is_put_behind_is_refused(known, step):
    def coarser(block):
        """What is rounded first is rounded to twice the steps."""
        first = next(item for item in block.operations if item.op_type == "quantize")
        rounded = Builder.quantize(
            input=first.input,
            scale=2 * first.scale.val,
            zero_point=first.zero_point,
            output_dtype=first.output_dtype,
            before_op=first,
        )
        block.replace_uses_of_var_after_op(anchor_op=rounded.op, old_var=first.outputs[0], new_var=rounded)

    with pytest.raises(CheckError, match="state_0 is not on one grid"):
        known.load(changed(step, [graph_pass(coarser)]))


def test_what_is_kept_without_being_rounded_is_refused(known, step):
    def bypassed(block):
        """The state's successor is cut from what is not rounded yet."""
        cut = next(item for item in block.operations if item.op_type == "slice_by_index")
        restored = cut.x.op
        rounded = restored.input.op
        block.replace_uses_of_var_after_op(
            anchor_op=restored, old_var=cut.x, new_var=rounded.input, end_op=cut
        )

    with pytest.raises(CheckError, match="state_0 is not on one grid: got a next_state_0 that is not"):
        known.load(changed(step, [graph_pass(bypassed)]))
