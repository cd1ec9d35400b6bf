"""The encoder on a stream in integers: the same voice call by call, on one grid per state, without drift."""

from dataclasses import dataclass, field, replace

import numpy as np
import onnx
import pytest

import voxtoon
from tests.quantize.conftest import with_tensor
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError
from voxtoon.golden import frames_of
from voxtoon.integer_state import IntegerStateSession
from voxtoon.streaming_encoder import StreamingEncoder
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import made_by
from voxtoon_quantize.formats.onnx import FORMAT
from voxtoon_quantize.gate import INT8_GATE
from voxtoon_quantize.graph import Graph
from voxtoon_quantize.graph_state import continued, is_continued_state, states
from voxtoon_quantize.judging import Judged, report_of
from voxtoon_quantize.onnx_states import state_grids
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.streamed import Streamed

RECIPE = Recipe(observer="minmax")
STEP, HEAD = "encoder_step", "head"
ANGLES = {"angle_mean_deg", "angle_p95_deg"}


@dataclass(frozen=True)
class Known:
    """A bundle's parts, calibrated, and the voices that they are judged on."""

    streamed: Streamed
    calibrated: dict
    judged: Judged
    frames: np.ndarray

    def made(self, recipe=RECIPE):
        return made_by(recipe, self.calibrated.values())

    def missed(self, made, name):
        part = self.calibrated[name].part
        quality = self.judged.quality(made, on_a_stream=True)
        return set(report_of(part, made[name], quality, self.judged, RECIPE).missed)


@pytest.fixture(scope="module")
def known(tiny_bundle, voices):
    with voxtoon.open_bundle(tiny_bundle) as bundle:
        parts = float_parts(bundle, FORMAT)
        calibrated = calibrate_parts(bundle, FORMAT, parts, RECIPE, CalibrationAudio(voices, clips=8))
        judged = Judged.of(bundle, FORMAT, parts, CalibrationAudio(voices, clips=3, telephone_share=0.0))
        clip = next(iter(CalibrationAudio(voices, clips=1)))
        frames = frames_of(clip.samples, bundle.manifest.front_end)
        by_name = {item.part.name: item for item in calibrated}
        yield Known(Streamed.of(bundle.manifest), by_name, judged, frames)


@pytest.fixture(scope="module")
def made(known):
    return known.made()


@pytest.fixture(scope="module")
def step(made):
    return FORMAT.load(made[STEP], precision="int8")


def outputs(known, session):
    return known.streamed.over_clip(STEP, {STEP: session}).run({"frames": known.frames})["trunk"]


def test_what_the_step_is_calibrated_on_makes_the_same_outputs(known):
    part = known.calibrated[STEP].part
    before, after = (
        outputs(known, load(content, precision="fp32", threads=1))
        for content in (part.content, part.calibrated)
    )

    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()
    kinds = {node.op_type for node in onnx.load_from_string(part.calibrated).graph.node}
    assert "BatchNormalization" not in kinds  # all are behind a state now


def test_every_state_is_integers_and_begins_with_their_zero(known, made, step):
    grids = state_grids(onnx.load_from_string(made[STEP]))
    stream = StreamingEncoder(step, None, known.streamed.spec)

    assert set(grids) == set(known.streamed.spec.states) - {"position"}
    for name, grid in grids.items():
        state = stream.state.states[name]
        assert state.dtype == grid.dtype == "uint8"
        assert np.unique(state).tolist() == [grid.zero_point]
    assert grids["state_0"].zero_point > 0  # frames have values on both sides of zero


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
def test_a_state_that_another_grid_is_put_behind_is_refused(made, kind):
    model = onnx.load_from_string(made[STEP])
    node = next(
        node for node in model.graph.node if node.op_type == kind and node.input[1].endswith("grid_scale")
    )
    scale = next(item for item in model.graph.initializer if item.name == node.input[1])
    other = onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(scale), "other_scale")
    model.graph.initializer.append(other)
    node.input[1] = "other_scale"

    with pytest.raises(CheckError, match="state_0 is not on one grid"):
        FORMAT.load(model.SerializeToString(), precision="int8")


def test_integers_come_near_the_floats_at_every_output(known, step):
    before, after = outputs(known, known.judged.floats[STEP]), outputs(known, step)

    errors = np.sqrt(np.mean((after - before) ** 2, axis=(0, 2, 3)))
    assert before.shape[1] >= 5
    # A random network as small as this suffers more than a trained one, where it is 0.014.
    assert errors.max() < 0.2 * before.std()
    assert errors.min() > 0.0


def test_however_a_stream_is_cut_the_integers_are_the_same(known, step):
    rng = np.random.default_rng(0)
    whole, cut = (StreamingEncoder(step, None, known.streamed.spec) for _ in range(2))
    cuts = np.sort(rng.integers(0, known.frames.shape[1], 20))

    expected = whole.push(known.frames[0])
    found = np.concatenate([cut.push(piece) for piece in np.split(known.frames[0], cuts)])
    np.testing.assert_array_equal(found, expected)
    for name, state in whole.state.states.items():
        np.testing.assert_array_equal(state, cut.state.states[name])


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


def test_a_step_of_floats_is_not_called_integer(known, made):
    layers = known.calibrated[STEP].part.layers
    mostly_float = Recipe(
        observer="minmax", overrides=tuple(Override(f"encoder.{layer}", "fp32") for layer in layers[2:])
    )

    assert "integer_macs" not in known.missed(made, STEP)
    assert "integer_macs" in known.missed({**made, STEP: known.made(mostly_float)[STEP]}, STEP)


def test_where_a_layer_stays_float_so_does_its_state(known):
    layers = known.calibrated[STEP].part.layers
    recipe = replace(RECIPE, overrides=(Override(f"encoder.{layers[3]}", "fp32"),))
    session = FORMAT.load(known.made(recipe)[STEP], precision="int8")

    floats = [name for name, dtype in session.input_types.items() if dtype == np.float32]
    assert floats == ["frames", "position", "state_3"]


@dataclass(frozen=True)
class Drifting(IntegerStateSession):
    """A step whose outputs lose a little of their differences at every call."""

    calls: list = field(default_factory=lambda: [0])

    def run(self, inputs):
        self.calls[0] += 1
        found = self.session.run(inputs)
        trunk = found["trunk"]
        lost = 1e-3 * self.calls[0] * np.abs(trunk).mean() * np.sign(trunk)
        return {**found, "trunk": trunk + lost.astype(np.float32)}


def test_ten_minutes_turn_the_feature_no_more_than_one(known, made, step):
    limit = next(limit for limit in INT8_GATE if limit.figure == "drift_deg")
    floats = known.judged.floats
    integers = {**floats, STEP: step, HEAD: FORMAT.load(made[HEAD], precision="int8")}
    voices = known.judged.frames

    assert known.streamed.drift_deg(floats, integers, voices) == 0.0
    drifting = Drifting(step, step.grids)
    found = known.streamed.drift_deg(floats, {**integers, STEP: drifting}, voices)
    assert limit.miss(found)
    assert "drift_deg" in known.judged.quality(made, on_a_stream=True).to_json()


def test_signed_targets_have_unsigned_state_which_every_processor_has_kernels_for(known):
    made = known.made(replace(RECIPE, target="arm"))

    assert {grid.dtype for grid in state_grids(onnx.load_from_string(made[STEP])).values()} == {"uint8"}
