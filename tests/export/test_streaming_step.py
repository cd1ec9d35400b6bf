"""The step with fixed shapes: the same outputs, one call after another, in torch and as an artefact."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.streaming_encoders import encoder, encoder_of, frames_for, lively
from voxtoon.agreement import Tolerance
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError
from voxtoon.streaming_encoder import StreamedSession, StreamingEncoder
from voxtoon_export.golden import sample_voice
from voxtoon_export.layers import BatchNorm, Conv2d, LeakyRelu, MaxPool, Relu, ZeroPad
from voxtoon_export.lowering import format_named
from voxtoon_export.parity import check_artefact, reference_cases
from voxtoon_export.streaming.check import check_streaming, streamed_reference
from voxtoon_export.streaming.parts import head_part, step_part
from voxtoon_export.streaming.plan import frames_before_output, step_plan, streaming_units
from voxtoon_export.streaming.rings import RingEncoder, head_network, offline_trunk
from voxtoon_export.streaming.step import StepNetwork

ONNX = format_named("onnx")
STATM = Path("/proc/self/statm")
ENCODERS = [(front_end, padded) for front_end in ("mel", "complex") for padded in (False, True)]


@pytest.fixture(scope="module", params=ENCODERS, ids=lambda key: f"{key[0]}-{'SAME' if key[1] else 'VALID'}")
def network(request):
    return lively(encoder(request.param[0], padded=request.param[1]))


@pytest.fixture(scope="module")
def artefacts(network):
    """Part name to precision to a loaded session."""
    part = network.spec
    step = step_part(part)
    files = {
        "encoder_step": ONNX.lower(StepNetwork(network, step).eval(), step, ["fp32", "fp16"]),
        "head": ONNX.lower(head_network(network), head_part(part), ["fp32", "fp16"]),
    }
    return {
        name: {
            precision: load(content, precision=precision, threads=1) for precision, content in made.items()
        }
        for name, made in files.items()
    }


@torch.inference_mode()
def called(network, frames, *, size=None):
    """Outputs of calls of the step, without those before the recording."""
    step = StepNetwork(network, step_part(network.spec, frames=size)).eval()
    plan = step.spec.plan
    frames = torch.cat([torch.zeros(1, plan.lead_frames, *frames.shape[2:]), frames], dim=1)
    (_, *state), outputs = step.first_inputs(), []
    for start in range(0, frames.shape[1] - plan.frames + 1, plan.frames):
        trunk, valid, *state = step(frames[:, start : start + plan.frames], *state)
        outputs.append(trunk[:, valid[0] > 0])
    return torch.cat(outputs, dim=1) if outputs else None


def test_a_call_takes_and_gives_what_is_declared(network):
    part = step_part(network.spec)
    step = StepNetwork(network, part).eval()
    with torch.inference_mode():
        outputs = step(*step.first_inputs())

    assert [item.name for item in part.inputs][:3] == ["frames", "position", "state_0"]
    assert [item.name for item in part.outputs][:3] == ["trunk", "valid", "next_position"]
    assert [tuple(output.shape) for output in outputs] == [item.shape for item in part.outputs]
    successors = {f"next_{item.name}": item.shape for item in part.inputs[1:]}
    assert successors == {item.name: item.shape for item in part.outputs[2:]}


def test_step_and_head_have_the_encoder_s_tensors_between_them(network):
    part = network.spec
    step, head = step_part(part), head_part(part)

    assert {**step.tensor_shapes(), **head.tensor_shapes()} == part.tensor_shapes()
    assert step.parameters + head.parameters == part.parameters


@pytest.mark.parametrize("size", [64, 128, 320])
def test_calls_give_what_rings_give_whatever_their_size(network, size):
    frames = frames_for(network.spec, 1000)
    rings = RingEncoder(network).push(frames)
    steps = called(network, frames, size=size)

    assert steps.shape[1] == rings.shape[1] // (size // 64) * (size // 64)
    torch.testing.assert_close(
        steps, rings[:, : steps.shape[1]], rtol=0, atol=1e-5 * float(rings.abs().max())
    )


def test_what_comes_before_the_recording_makes_no_difference(network):
    """Whatever the layers make of it, they see padding there, or it is not valid."""
    step = StepNetwork(network, step_part(network.spec)).eval()
    plan = step.spec.plan
    frames = frames_for(network.spec, 8 * plan.frames)
    frames[:, : plan.lead_frames] = 1e3
    _, *state = step.first_inputs()
    outputs = []
    with torch.inference_mode():
        for start in range(0, frames.shape[1], plan.frames):
            trunk, valid, *state = step(frames[:, start : start + plan.frames], *state)
            outputs.append(trunk[:, valid[0] > 0])
    expected = RingEncoder(network).push(frames[:, plan.lead_frames :])

    torch.testing.assert_close(torch.cat(outputs, dim=1), expected, rtol=0, atol=1e-4)


def test_the_order_in_which_state_is_joined_makes_no_difference(network):
    part, frames = step_part(network.spec), frames_for(network.spec, 64)
    (_, *state), outputs = StepNetwork(network, part).first_inputs(), []
    rng = torch.Generator().manual_seed(0)
    state = [item + torch.rand(item.shape, generator=rng) for item in state]
    for channel_first in (False, True):
        step = StepNetwork(network, part, channel_first=channel_first).eval()
        with torch.inference_mode():
            outputs.append(step(frames, *state))

    for last, first in zip(*outputs, strict=True):
        torch.testing.assert_close(last, first, rtol=0, atol=1e-5 * max(1.0, float(first.abs().max())))


def test_the_position_stops_where_it_no_longer_matters(network):
    step = StepNetwork(network, step_part(network.spec)).eval()
    frames, *state = step.first_inputs()
    positions = []
    for _ in range(step.spec.plan.settled_calls + 3):
        _, valid, *state = step(frames, *state)
        positions.append(float(state[0]))

    assert positions[-4:] == [step.spec.plan.settled_calls] * 4
    assert valid.min() == 1


def test_a_call_costs_what_its_frames_cost_in_the_long_run():
    part = encoder("complex", width_divisor=1)
    hour_frames = 360_000
    per_call = part.macs(frames=hour_frames) * 64 / hour_frames

    assert step_part(part).macs() == pytest.approx(per_call, rel=1e-3)


def test_every_update_of_a_quarter_of_a_second_costs_a_twentieth_of_six_seconds():
    part = encoder("complex", width_divisor=1)
    update = 25 / 64 * step_part(part).macs() + head_part(part).macs()

    assert part.macs(frames=598) / update > 20


def test_artefacts_equal_the_encoder_call_by_call(network, artefacts):
    part, frames = step_part(network.spec), frames_for(network.spec, 900).numpy()
    reference = streamed_reference(network, part, frames)
    for precision, tolerance in ONNX.tolerances.items():
        sessions = [artefacts[name][precision] for name in ("encoder_step", "head")]
        found = check_streaming(*sessions, part, frames, reference, tolerance=tolerance, where=precision)
        assert found.keys() == {"trunk", "feature"}


def test_the_runtime_s_feature_is_the_encoder_s_at_every_moment(network, artefacts):
    """Whatever waits for its call to fill up; only outputs that see padding after the end are not there."""
    spec = step_part(network.spec).streaming_spec()
    frames, head, taken = frames_for(network.spec, 700), head_network(network), 0
    stream = StreamingEncoder(artefacts["encoder_step"]["fp32"], artefacts["head"]["fp32"], spec)
    for more in (259, 1, 62, 1, 25, 200, 152):
        stream.push(frames[0, taken : taken + more].numpy())
        taken += more
        with torch.inference_mode():
            trunk = offline_trunk(network, frames[:, :taken])[:, : spec.output_count(taken)]
            expected = head(trunk.mean(dim=1, keepdim=True))[0].numpy()
        np.testing.assert_allclose(stream.feature(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_calls_on_many_threads_share_the_artefacts_and_nothing_else(network, artefacts):
    spec = step_part(network.spec).streaming_spec()
    sessions = [artefacts[name]["fp32"] for name in ("encoder_step", "head")]
    calls = [frames_for(network.spec, 400, seed=seed)[0].numpy() for seed in range(8)]

    def heard(frames):
        stream = StreamingEncoder(*sessions, spec)
        for start in range(0, len(frames), 25):
            stream.push(frames[start : start + 25])
        return stream.feature()

    alone = [heard(frames) for frames in calls]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(heard, calls))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc")
def test_a_long_call_needs_no_more_memory_than_a_short_one(artefacts, network):
    stream = StreamingEncoder(
        artefacts["encoder_step"]["fp32"], artefacts["head"]["fp32"], step_part(network.spec).streaming_spec()
    )
    frames = frames_for(network.spec, 25)[0].numpy()

    def resident_bytes_after(pushes):
        for _ in range(pushes):
            stream.push(frames)
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    early = resident_bytes_after(200)
    assert resident_bytes_after(2_000) - early < 2**20


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_encoder_s_own_parity_check_takes_step_and_head_in_its_place(tiny_checkpoint, precision):
    network = tiny_checkpoint.network("encoder")
    part = step_part(network.spec)
    step = ONNX.lower(StepNetwork(network, part).eval(), part, [precision])[precision]
    head = ONNX.lower(head_network(network), head_part(network.spec), [precision])[precision]
    session = StreamedSession(
        *(load(content, precision=precision, threads=1) for content in (step, head)), part.streaming_spec()
    )
    clips = [sample_voice()]
    cases = reference_cases(
        {"encoder": (network.spec, network)}, clips, front_end=tiny_checkpoint.variant.front_end, face=None
    )

    found = check_artefact(
        session, cases["encoder"], tolerance=ONNX.tolerances[precision], where="encoder_step and head"
    )
    assert found.keys() == {"feature"}


def test_an_artefact_of_other_weights_fails_the_check(network, artefacts):
    other = lively(network.spec)
    with torch.no_grad():
        other.get_submodule("conv9").weight.mul_(1.01)
    part, frames = step_part(network.spec), frames_for(network.spec, 400).numpy()
    reference = streamed_reference(other, part, frames)
    sessions = [artefacts[name]["fp32"] for name in ("encoder_step", "head")]

    with pytest.raises(CheckError, match="fails on the stream: trunk: max_abs_relative"):
        check_streaming(
            *sessions,
            part,
            frames,
            reference,
            tolerance=Tolerance(max_abs_relative=1e-5),
            where="onnx fp32",
        )


@st.composite
def convolutional(draw):
    layers = []
    for number in range(draw(st.integers(1, 4))):
        stride = draw(st.integers(1, 3))
        kernel = draw(st.integers(stride, 5))
        if draw(st.booleans()):
            layers.append(ZeroPad((draw(st.sampled_from([0, 1, 4])), 1), (draw(st.integers(0, 2)), 0)))
        time_padding = draw(st.sampled_from([0, 0, 1, 3]))
        layers.append(Conv2d(f"conv{number}", 2, (kernel, 2), (stride, 1), (time_padding, 1)))
        layers += draw(st.sampled_from([[], [Relu()], [BatchNorm(f"bn{number}"), LeakyRelu(0.3)]]))
        layers += [MaxPool((draw(st.integers(2, 3)), 1))] if draw(st.booleans()) else []
    return encoder_of(layers)


@settings(max_examples=40, deadline=None)
@given(part=convolutional(), multiple=st.integers(1, 3))
def test_the_step_of_any_convolutional_encoder(part, multiple):
    network = lively(part)
    size = multiple * part.stride_frames
    frames = frames_for(part, 3 * part.minimum_frames + 5 * size)
    rings, steps = RingEncoder(network).push(frames), called(network, frames, size=size)

    plan, units = step_plan(part, frames=size), streaming_units(part)
    assert steps.shape[1] == plan.output_count(frames.shape[1])
    if all(frames_before_output(units[:end], 0) > 0 for end in range(1, len(units) + 1)):
        # No layer has an output that sees nothing but padding: an output waits for its call and no longer.
        assert 0 <= rings.shape[1] - steps.shape[1] < multiple
    scale = max(1.0, float(rings.abs().max()))
    torch.testing.assert_close(steps, rings[:, : steps.shape[1]], rtol=0, atol=1e-5 * scale)
