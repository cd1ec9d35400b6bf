"""What layers keep and wait for, computed from their declaration alone."""

from dataclasses import replace

import pytest

from tests.export.streaming_encoders import encoder, encoder_of
from voxtoon.errors import InputError
from voxtoon_export.layers import BatchNorm, Conv2d, ConvTranspose2d, MaxPool, TimeMean, ZeroPad
from voxtoon_export.streaming.parts import head_part, step_part
from voxtoon_export.streaming.plan import (
    frames_before_output,
    output_count,
    step_plan,
    streaming_units,
    trunk_part,
)
from voxtoon_export.systems import variant


def convolution_rows(plan):
    return [row for row in plan.rows if row.unit.kernel > row.unit.stride]


def test_an_output_comes_with_the_frame_that_completes_it():
    part = encoder("mel")
    units = streaming_units(part)

    assert [frames_before_output(units, output) for output in (0, 1, 5)] == [259, 323, 579]
    for frames in range(1, 701):
        expected = 0 if frames < 259 else (frames - 259) // 64 + 1
        assert output_count(units, frames, ended=False) == expected
        assert output_count(units, frames, ended=True) == expected


def test_with_padding_the_first_output_comes_earlier_and_the_last_ones_at_the_end():
    units = streaming_units(encoder("mel", padded=True))

    assert frames_before_output(units, 0) == 178
    assert output_count(units, 598, ended=False) == 7
    assert output_count(units, 598, ended=True) == 10


def test_padding_of_a_convolution_is_padding_before_it():
    inside = streaming_units(encoder_of([Conv2d("conv1", 2, (3, 3), (1, 1), (2, 1))]))
    outside = streaming_units(encoder_of([ZeroPad((2, 1), (2, 1)), Conv2d("conv1", 2, (3, 3))]))

    assert [(unit.before, unit.after) for unit in inside] == [(2, 2)]
    assert inside[0].layer == Conv2d("conv1", 2, (3, 3), (1, 1), (0, 1))
    assert [output_count(outside, frames, ended=True) for frames in range(9)] == [
        output_count(inside, frames, ended=True) for frames in range(9)
    ]


def test_the_lag_table_of_speech2face():
    """Three frames for every convolution of kernel 4, and nothing waits in a pool: calls meet the outputs."""
    plan = step_plan(encoder("complex"))

    assert (plan.frames, plan.lead_frames, plan.outputs, plan.lag) == (64, 61, 1, 4)
    assert [row.state_frames for row in convolution_rows(plan)] == [3, 3, 3, 3, 3, 3, 3, 2, 2]
    assert [row.lag for row in convolution_rows(plan)] == [61, 64, 67, 35, 19, 11, 7, 10, 6]
    assert all(row.state_frames == 0 for row in plan.rows if row.unit.kernel == row.unit.stride)
    assert not any(row.masked for row in plan.rows)


def test_the_lag_table_with_padding():
    plan = step_plan(encoder("complex", padded=True))

    assert (plan.lead_frames, plan.lag, plan.settled_calls) == (14, 2, 2)
    assert sum(row.masked for row in plan.rows) == 9


@pytest.mark.parametrize("multiple", [1, 2, 5])
def test_a_call_may_be_any_multiple_of_the_stride(multiple):
    plan = step_plan(encoder("mel"), frames=64 * multiple)

    assert plan.outputs == multiple
    # The newest output of a call sees its newest frame.
    newest = frames_before_output(streaming_units(encoder("mel")), multiple - 1)
    assert (newest + plan.lead_frames) % plan.frames == 0


@pytest.mark.parametrize("frames", [0, -64, 32, 100])
def test_any_other_size_of_a_call_is_refused(frames):
    with pytest.raises(InputError, match=f"got {frames}, expected a multiple of 64"):
        step_plan(encoder("mel"), frames=frames)


def test_without_padding_the_trunk_is_the_declared_one():
    part = encoder("mel")

    assert trunk_part(part).trunk == (*part.streamable, TimeMean())
    assert trunk_part(part).tensor_shapes().items() <= part.tensor_shapes().items()


def test_a_system_without_a_mean_over_time_is_refused():
    part = variant("wav2pix-128").parts["encoder"]

    for derive in (streaming_units, trunk_part, step_plan, step_part, head_part):
        with pytest.raises(InputError, match="encoder cannot be streamed: got no mean over time"):
            derive(part)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([Conv2d("conv1", 2, (2, 1), (3, 1))], "Conv2d: frames that no output sees"),
        ([ConvTranspose2d("up1", 2, (2, 1), (2, 1))], "ConvTranspose2d: not frame by frame"),
    ],
)
def test_layers_that_cannot_be_streamed_are_refused_by_name(layers, why):
    with pytest.raises(InputError, match=why):
        streaming_units(encoder_of([BatchNorm("bn0"), *layers, MaxPool((1, 1))]))


def test_a_padded_layer_is_masked_even_where_no_call_brings_frames_from_before_the_recording():
    """The mask tells that the state at the start is seen: nothing may be folded across it."""
    causal = [ZeroPad((2, 0), (0, 0)), Conv2d("conv1", 2, (3, 1))]
    plan = step_plan(encoder_of([*causal, *[Conv2d("conv2", 2, (1, 1))]]))

    assert [row.masked for row in plan.rows] == [True, False, False]
    assert plan.rows[0].lag == 0


def test_the_trunk_takes_its_name_and_input_from_the_encoder():
    part = replace(encoder("mel", padded=True), name="voice")

    assert (trunk_part(part).name, trunk_part(part).input) == ("voice", part.input)
    assert trunk_part(part).outputs[0].shape == (1, 1, 16, 32)
