"""Core ML that keeps its state itself: the step over a clip, prediction after prediction, against torch."""

import numpy as np
import pytest
import torch

import voxtoon
from tests.export.streaming_encoders import encoder_of, frames_for, lively
from voxtoon.agreement import compare
from voxtoon.engines import ENGINES
from voxtoon.engines.coreml_stateful import REST
from voxtoon.streaming_encoder import StreamingEncoder
from voxtoon.verification import verify
from voxtoon_export.converter_noise import silenced
from voxtoon_export.exporter import export
from voxtoon_export.layers import BatchNorm, Conv2d, MaxPool, Relu, ZeroPad
from voxtoon_export.lowering import format_named
from voxtoon_export.streaming.check import check_streaming, streamed_reference
from voxtoon_export.streaming.parts import head_part, step_part
from voxtoon_export.streaming.rings import head_network, offline_trunk
from voxtoon_export.streaming.step import StepNetwork

pytest.importorskip("coremltools", reason="lowering to Core ML needs voxtoon[export]")

STATEFUL = format_named("coreml_stateful")
PRECISIONS = ("fp32", "fp16")


@pytest.fixture(scope="module")
def network():
    """Everything that a step can have: a stride, a pool, padding in time, and so masks and a position."""
    layers = [Conv2d("conv1", 8, (4, 2)), Relu(), BatchNorm("bn1"), MaxPool((2, 1))]
    layers += [ZeroPad((1, 0), (2, 0)), Conv2d("conv2", 8, (4, 2), (2, 1)), Relu(), BatchNorm("bn2")]
    return lively(encoder_of(layers, frequency=5))


@pytest.fixture(scope="module")
def part(network):
    return step_part(network.spec, frames=16)


@pytest.fixture(scope="module")
def packages(network, part):
    """Precision to the files of the step's package."""
    return STATEFUL.lower(StepNetwork(network, part, channel_first=True).eval(), part, PRECISIONS)


def session(packages, precision):
    return ENGINES[STATEFUL.engine].load(packages[precision], precision=precision, threads=None)


def predictions(model, part, frames, *, after_each=lambda state: None):
    """The valid outputs of a clip as an application gets them: one state, made once."""
    state, size = model.make_state(), part.plan.frames
    frames = np.concatenate([np.zeros((1, part.plan.lead_frames, *frames.shape[2:]), np.float32), frames], 1)
    outputs = []
    for start in range(0, frames.shape[1] - size + 1, size):
        found = model.predict({"frames": frames[:, start : start + size]}, state)
        outputs.append(found["trunk"][0, found["valid"][0] > 0])
        after_each(state)
    return np.concatenate(outputs)


def expected(network, part, frames):
    with torch.inference_mode():
        trunk = offline_trunk(network, torch.from_numpy(frames)).numpy()
    return trunk[0, : part.plan.output_count(frames.shape[1])]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_clip_prediction_after_prediction_equals_torch(network, part, packages, precision):
    frames = frames_for(network.spec, 400).numpy()
    found = predictions(session(packages, precision).model, part, frames)
    reference = expected(network, part, frames)
    assert len(found) > 20
    assert STATEFUL.tolerances[precision].miss(compare(reference, found, what="trunk")) is None


def test_without_the_rest_that_float16_leaves_over_float32_would_not_be_float32(network, part, packages):
    frames = frames_for(network.spec, 400).numpy()

    def forget_the_rest(state):
        state.update({name: np.zeros_like(value) for name, value in state.items() if name.endswith(REST)})

    found = predictions(session(packages, "fp32").model, part, frames, after_each=forget_the_rest)
    missed = STATEFUL.tolerances["fp32"].miss(compare(expected(network, part, frames), found, what="trunk"))
    assert "max_abs_relative" in missed


def test_a_package_shows_frames_and_outputs_and_keeps_states_of_the_declared_names_and_shapes(part, packages):
    with silenced():
        from coremltools import proto
    for precision in PRECISIONS:
        content = packages[precision]["Data/com.apple.CoreML/model.mlmodel"]
        model = proto.Model_pb2.Model.FromString(content)
        kept = {item.name: item.type.stateType.arrayType for item in model.description.state}
        assert model.specificationVersion == 9  # iOS 18
        assert [item.name for item in model.description.input] == ["frames"]
        assert [item.name for item in model.description.output] == ["trunk", "valid"]
        assert {array.dataType for array in kept.values()} == {
            proto.FeatureTypes_pb2.ArrayFeatureType.FLOAT16
        }
        shapes = {name: tuple(array.shape) for name, array in kept.items() if not name.endswith(REST)}
        assert shapes == {item.name: item.shape for item in part.inputs[1:]}
        rests = {name for name in kept if name.endswith(REST)}
        assert rests == ({name + REST for name in shapes} if precision == "fp32" else set())


def test_in_float16_a_state_inside_gives_what_a_state_outside_gives(network, part, packages):
    outside, frames = format_named("coreml"), frames_for(network.spec, 200)[0].numpy()
    files = outside.lower(StepNetwork(network, part, channel_first=True).eval(), part, ["fp16"])["fp16"]
    steps = (
        session(packages, "fp16"),
        ENGINES[outside.engine].load(files, precision="fp16", threads=None),
    )
    found, reference = (StreamingEncoder(step, None, part.streaming_spec()).push(frames) for step in steps)
    assert len(found) > 5
    np.testing.assert_array_equal(found, reference)


def test_the_check_of_every_step_takes_it_with_the_head(network, part, packages):
    head = STATEFUL.lower(head_network(network), head_part(network.spec), ["fp32"])["fp32"]
    sessions = (
        session(packages, "fp32"),
        ENGINES[STATEFUL.engine].load(head, precision="fp32", threads=None),
    )
    frames = frames_for(network.spec, 200).numpy()
    found = check_streaming(
        *sessions,
        part,
        frames,
        streamed_reference(network, part, frames),
        tolerance=STATEFUL.tolerances["fp32"],
        where="fp32",
    )
    assert found.keys() == {"trunk", "feature"}


def test_streams_on_one_session_are_apart(network, part, packages):
    step, frames = session(packages, "fp16"), frames_for(network.spec, 200)[0].numpy()
    first, second = (StreamingEncoder(step, None, part.streaming_spec()) for _ in range(2))
    alone = first.push(frames)
    first.reset()
    mixed = [first.push(frames[:100])]
    second.push(frames[50:150])
    np.testing.assert_array_equal(np.concatenate([*mixed, first.push(frames[100:])]), alone)


def test_a_bundle_of_it_is_whole_and_for_ios_18(tiny_checkpoint, tmp_path):
    report = export(tiny_checkpoint, output=tmp_path / "tiny.voxtoon", formats=("coreml_stateful",))
    with voxtoon.open_bundle(report.bundle) as bundle:
        checks = list(verify(bundle))
        minimum = {item.part: item.minimum_runtime for item in bundle.manifest.artefacts}
    assert not [check.failure for check in checks if check.failure]
    assert {check.part for check in checks} >= {"encoder_step", "head", "voice_activity", "pipeline"}
    assert minimum["encoder_step"]["iOS"] == "18"
