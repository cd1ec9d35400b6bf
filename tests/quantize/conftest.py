"""Small graphs, and what they compute in either precision."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import voxtoon
from tests.export.conftest import mean_landmarks, tiny_checkpoint, tiny_variant  # noqa: F401
from voxtoon.engines.onnx import load
from voxtoon.golden import frames_of
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import CalibratedPart, made_by, quantized_format
from voxtoon_quantize.judging import Judged, report_of
from voxtoon_quantize.recipe import Recipe
from voxtoon_quantize.streamed import Streamed

ROOT = Path(__file__).resolve().parents[2]
TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}


@pytest.fixture(scope="session")
def make_model():
    """A model of nodes ``(operator, inputs, output, attributes)`` from ``x`` to ``y``, checked."""

    def make(nodes, tensors, shape, dtype=np.float32, *, rank=4):
        kind = TYPES[np.dtype(dtype)]
        graph = helper.make_graph(
            [
                helper.make_node(op, inputs, [output], **attributes)
                for op, inputs, output, attributes in nodes
            ],
            "small",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info("y", kind, [f"y{axis}" for axis in range(rank)])],
            [
                numpy_helper.from_array(
                    np.asarray(array, dtype if np.asarray(array).dtype.kind == "f" else None), name
                )
                for name, array in tensors.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    return make


@pytest.fixture(scope="session")
def compute():
    """Run a model on ``x``: float32 by onnxruntime, float64 by ONNX's reference, which has every operator."""

    def run(model, x):
        if x.dtype == np.float64:
            return ReferenceEvaluator(model).run(None, {"x": x})[0]
        return load(model.SerializeToString(), precision="fp32", threads=1).run({"x": x})["y"]

    return run


@pytest.fixture(scope="session")
def voices(tmp_path_factory):
    """Thirty recordings, cut from the sample voice and made higher and lower, as of thirty speakers."""
    samples, rate_hz = soundfile.read(ROOT / "samples/voice.flac", dtype="float32")
    folder = tmp_path_factory.mktemp("voices")
    for number in range(30):
        start = number * (len(samples) - 3 * rate_hz) // 30
        played_hz = int(rate_hz * 2.0 ** ((number % 7 - 3) / 12))
        soundfile.write(folder / f"voice{number:02}.wav", samples[start : start + 3 * rate_hz], played_hz)
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(request, tmp_path_factory):
    """A bundle that a gate cannot let through: so small that the scales outweigh what integers save."""
    from voxtoon_export.exporter import export

    checkpoint = request.getfixturevalue("tiny_checkpoint")
    return export(checkpoint, output=tmp_path_factory.mktemp("tiny") / "tiny.voxtoon").bundle


@pytest.fixture(scope="session")
def mobile_bundle(request, tmp_path_factory):
    """The tiny checkpoint in the formats of phones."""
    from voxtoon_export.exporter import export

    checkpoint = request.getfixturevalue("tiny_checkpoint")
    output = tmp_path_factory.mktemp("mobile") / "mobile.voxtoon"
    return export(checkpoint, output=output, formats=("litert", "coreml")).bundle


@dataclass(frozen=True)
class StreamedParts:
    """A bundle's parts in one format, calibrated, and the voices that they are judged on."""

    streamed: Streamed
    calibrated: Mapping[str, CalibratedPart]
    judged: Judged
    frames: np.ndarray
    recipe: Recipe

    @property
    def spec(self):
        """Of the stream."""
        return self.streamed.spec

    def step(self, recipe=None):
        """The step, in integers."""
        part = self.calibrated["encoder_step"]
        recipe = recipe or self.recipe
        return part.quantize(recipe.schemes("encoder_step", part.part.layers), recipe)

    def made(self, recipe=None):
        """All parts, in integers."""
        return made_by(recipe or self.recipe, self.calibrated.values())

    def load(self, content):
        """What was made, ready to run."""
        return self.judged.format.load(content, precision="int8")

    def outputs(self, session):
        """What a step makes of a clip, call by call."""
        return self.streamed.over_clip("encoder_step", {"encoder_step": session}).run(
            {"frames": self.frames}
        )["trunk"]

    def missed(self, made, name):
        """The lines of the gate that a part misses, heard on a stream."""
        part = self.calibrated[name].part
        quality = self.judged.quality(made, on_a_stream=True)
        return set(report_of(part, made[name], quality, self.judged, self.recipe).missed)


@pytest.fixture(scope="session")
def streamed_parts(request, voices):
    """Of a format, by its name: calibrated once for all tests."""
    recipe = Recipe(observer="minmax")

    @cache
    def found(name):
        quantized = quantized_format(name)
        bundle = request.getfixturevalue("tiny_bundle" if name == "onnx" else "mobile_bundle")
        with voxtoon.open_bundle(bundle) as opened:
            parts = float_parts(opened, quantized)
            heard = CalibrationAudio(voices, clips=8)
            calibrated = calibrate_parts(opened, quantized, parts, recipe, heard)
            kept = CalibrationAudio(voices, clips=3, telephone_share=0.0)
            judged = Judged.of(opened, quantized, parts, kept)
            clip = next(iter(CalibrationAudio(voices, clips=1)))
            frames = frames_of(clip.samples, opened.manifest.front_end)
            by_name = {item.part.name: item for item in calibrated}
            return StreamedParts(Streamed.of(opened.manifest), by_name, judged, frames, recipe)

    return found


def with_tensor(content, name, change):
    """An ONNX file with one of its tensors changed."""
    model = onnx.load_from_string(content)
    tensor = next(item for item in model.graph.initializer if item.name == name)
    changed = np.ascontiguousarray(change(numpy_helper.to_array(tensor)))
    tensor.CopyFrom(numpy_helper.from_array(changed, name))
    return model.SerializeToString()


def noise(part, *, count, frames):
    """Inputs for encoder or decoder of `mobile_bundle`, as many as are asked for, always the same."""
    name, shape = {"encoder": ("frames", (1, frames, 64, 1)), "decoder": ("feature", (1, 16))}[part]
    return [
        {name: np.random.default_rng(seed).normal(size=shape).astype(np.float32)} for seed in range(count)
    ]


# What follows is of one of these formats: a test module names it as `FORMAT`, the schemes it looks at as
# `SCHEMES`, and what it calibrates on as `inputs`.


@pytest.fixture(scope="module")
def parts(request, mobile_bundle):
    """The float parts of the module's format, but those of a stream."""
    with voxtoon.open_bundle(mobile_bundle) as bundle:
        found = float_parts(bundle, request.module.FORMAT)
        return {name: found[name] for name in ("encoder", "decoder")}


@pytest.fixture(scope="module")
def calibrated(request, parts):
    return {name: part.calibrate(Recipe(), request.module.inputs(name)) for name, part in parts.items()}


@pytest.fixture(scope="module")
def made(request, calibrated):
    """Scheme to part to the artefact with it in all layers."""
    return {scheme: made_by(Recipe(scheme), calibrated.values()) for scheme in request.module.SCHEMES}
