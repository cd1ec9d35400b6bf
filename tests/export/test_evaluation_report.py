"""A toy bundle whose networks are a few matrices, evaluated on faces that it drew itself."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import valid_bundle
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.faces import upright_face
from voxtoon.avatar import MEASUREMENTS
from voxtoon.bundle import open_bundle
from voxtoon.errors import InputError
from voxtoon_export.evaluation.report import evaluate
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_export.voice_activity import specialised_model

REAL_DATA = Path(__file__).parents[3] / "shared" / "data" / "published_reconstructions"
SPEAKERS = [f"spk{number:04d}" for number in range(20)]
RNG = np.random.default_rng(0)

# The feature is how loud a voice is in three bands; the colour and the shape of the face follow from it.
LEVELS = np.repeat(np.eye(4, dtype=np.float32)[:3], [21, 21, 22], axis=0) / 21  # [64, 4]
COLOUR = 0.1 * np.eye(4, 3, dtype=np.float32)
SHAPE = RNG.normal(0.0, 2.0, size=(4, 136)).astype(np.float32)
MEAN_SHAPE = upright_face().round(2)


def network(inputs, outputs, nodes, **constants):
    """Serialised ONNX of a list of (operator, inputs, output[, attributes])."""

    def values(shapes):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    made = [helper.make_node(op, i, [o], **(rest[0] if rest else {})) for op, i, o, *rest in nodes]
    initialisers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(made, "toy", values(inputs), values(outputs), initialisers)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


ENCODER = network(
    {"frames": [1, "time", 64, 1]},
    {"feature": [1, 4]},
    [
        ("ReduceMean", ["frames"], "levels", {"axes": [1, 3], "keepdims": 0}),
        ("MatMul", ["levels", "w"], "feature"),
    ],
    w=LEVELS,
)
DECODER = network(
    {"feature": [1, 4]},
    {"texture": [1, 224, 224, 3], "landmarks": [1, 68, 2]},
    [
        ("MatMul", ["feature", "colour"], "tint"),
        ("Add", ["tint", "grey"], "shade"),
        ("Expand", ["shade", "size"], "texture"),
        ("MatMul", ["feature", "shape"], "moved"),
        ("Reshape", ["moved", "points"], "shift"),
        ("Add", ["shift", "mean"], "landmarks"),
    ],
    colour=COLOUR,
    grey=np.float32(0.5),
    size=np.array([1, 224, 224, 3]),
    shape=SHAPE,
    points=np.array([1, 68, 2]),
    mean=MEAN_SHAPE.astype(np.float32),
)
FACE_ENCODER = network(
    {"image": [1, 56, 56, 3]},
    {"feature": [1, 4]},
    [
        ("ReduceMean", ["image"], "shade", {"axes": [1, 2], "keepdims": 0}),
        ("Sub", ["shade", "grey"], "tint"),
        ("MatMul", ["tint", "w"], "feature"),
    ],
    grey=np.float32(0.5),
    w=np.linalg.pinv(COLOUR).astype(np.float32),
)


def write_bundle(place, *, parts=("encoder", "decoder", "face_encoder", "voice_activity")):
    files = {
        "encoder.fp32.onnx": ENCODER,
        "decoder.fp32.onnx": DECODER,
        "face_encoder.fp32.onnx": FACE_ENCODER,
        "voice_activity.fp32.onnx": specialised_model().SerializeToString(),
        "model_card.md": b"# A toy",
    }
    manifest = valid_bundle.manifest(files)
    manifest["parts"] = [part for part in manifest["parts"] if part["name"] in parts]
    manifest["artefacts"] = [
        one for one in manifest["artefacts"] if one["part"] in parts and one["precision"] == "fp32"
    ]
    manifest["face"] |= {"mean_landmarks": MEAN_SHAPE.tolist(), "mean_feature": [0.0, 0.0, 0.0, 0.0]}
    manifest["avatar_statistics"] = {
        "mean": dict.fromkeys(MEASUREMENTS, 0.0),
        "std": dict.fromkeys(MEASUREMENTS, 1.0),
    }
    manifest |= {"domain": None, "golden": {}, "streaming": None}
    manifest["parts"][0]["minimum_frames"] = 1
    valid_bundle.write_folder(place, manifest, files)
    return place


@pytest.fixture(scope="module")
def bundle_path(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("toy") / "toy.bundle")


def voice(levels):
    """A second of noise with these levels in its three bands."""
    spectrum = np.fft.rfft(RNG.normal(0.0, 0.1, 16000))
    edges_hz = (0, 1000, 2600, 8001)
    for level, low, high in zip(levels, edges_hz, edges_hz[1:], strict=False):
        spectrum[low:high] *= level
    return np.fft.irfft(spectrum, 16000).clip(-1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bundle_path):
    """Two clips of each speaker, and the faces that the toy bundle draws of them."""
    place = tmp_path_factory.mktemp("data")
    for name in ("audio", "face_s2f", "face_f2f"):
        (place / name).mkdir()
    rows = ["clip,speaker"]
    with open_bundle(bundle_path) as bundle:
        pipeline = bundle.pipeline()
        for speaker in SPEAKERS:
            levels = RNG.uniform(0.05, 1.0, size=3)
            for take in "ab":
                clip = f"{speaker}{take}"
                samples = voice(levels * RNG.uniform(0.9, 1.1, size=3))
                soundfile.write(place / "audio" / f"{clip}.flac", samples, 16000)
                face = pipeline.decode(pipeline.feature(samples, sample_rate=16000))
                pixels = Image.fromarray((face.image * 255).round().clip(0, 255).astype(np.uint8))
                pixels.save(place / "face_s2f" / f"{clip}.jpg", quality=98)
                pixels.save(place / "face_f2f" / f"{clip}.jpg", quality=98)
                rows.append(f"{clip},{speaker}")
    (place / "index.csv").write_text("\n".join(rows))
    return place


@pytest.fixture(scope="module")
def figures(bundle_path, folder):
    with open_bundle(bundle_path) as bundle:
        return evaluate(bundle, folder).to_json()


def test_only_speakers_that_are_held_out_are_evaluated(figures):
    held_out = sum(map(is_held_out, SPEAKERS))
    assert (figures["speakers"], figures["clips"]) == (held_out, 2 * held_out)
    assert figures["training_clips"] == 2 * (len(SPEAKERS) - held_out)


def test_a_bundle_that_drew_the_faces_itself_is_found_near_perfect(figures):
    assert figures["fidelity"]["voice"]["R2"] > 0.97
    assert figures["components"]["voice"]["PC 1"] > 0.97
    assert figures["feature_angle"]["voice, 6 s"]["angle"] < 5.0
    assert figures["retrieval"]["voice, 6 s, L2"]["R@2"] == 100.0
    assert figures["craniofacial"]["jaw width"]["face_s2f"] > 0.97
    assert figures["avatar_consistency"]["avatar parameters"]["ratio"] < 0.7


def test_fewer_clips_can_be_asked_for_and_progress_is_told(bundle_path, folder):
    told = []
    with open_bundle(bundle_path) as bundle:
        report = evaluate(bundle, folder, max_clips=3, progress=lambda *counts: told.append(counts))
    assert report.clips == 3
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_bundle_without_a_face_encoder_gives_the_tables_that_need_none(tmp_path, folder):
    path = write_bundle(tmp_path / "small.bundle", parts=("encoder", "decoder", "voice_activity"))
    with open_bundle(path) as bundle:
        report = evaluate(bundle, folder, max_clips=2)
    assert [table.key for table in report.tables] == ["fidelity", "components", "avatar_consistency"]


def test_too_few_clips_are_refused(bundle_path, folder, tmp_path):
    with open_bundle(bundle_path) as bundle:
        with pytest.raises(InputError, match="2 or more"):
            evaluate(bundle, folder, max_clips=1)
        with pytest.raises(InputError, match=r"index\.csv"):
            evaluate(bundle, tmp_path)


def test_evaluating_needs_no_torch():
    script = "import sys, voxtoon_export.evaluation.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "voxtoon", "evaluate", *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_prints_tables_or_one_json_object(bundle_path, folder):
    text = run_command(bundle_path, "--data", folder, "--max-clips", 2)
    assert (text.returncode, text.stderr) == (0, "")
    assert "gallery of 2" in text.stdout
    as_json = run_command(bundle_path, "--data", folder, "--max-clips", 2, "--json")
    assert json.loads(as_json.stdout)["clips"] == 2


def test_the_command_refuses_a_bad_folder_in_one_line_with_exit_code_2(bundle_path, tmp_path):
    refused = run_command(bundle_path, "--data", tmp_path / "absent")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
    assert "index.csv" in refused.stderr


def test_the_default_bundle_beats_the_mean_face_on_real_voices():
    if not REAL_DATA.is_dir():
        pytest.skip("needs the published reconstructions beside the repository")
    with open_bundle() as bundle:
        figures = evaluate(bundle, REAL_DATA, max_clips=24).to_json()
    assert figures["fidelity"]["voice"]["R2"] > 0.5
    assert figures["fidelity"]["shuffled voices"]["R2"] < 0.0
    assert figures["components"]["voice"]["PC 1"] > 0.8
