"""A bundle is checked against its golden arrays without torch, and what cannot be checked has failed."""

import subprocess
import sys

import numpy as np
import pytest

from voxtoon.bundle import open_bundle
from voxtoon.errors import CheckError
from voxtoon.verification import verify


@pytest.fixture
def change_weight(golden_bundle, rewrite_manifest):
    """Change a tensor of an ONNX file, and the manifest with it: only the numbers betray it."""

    def make(artefact, name, change):
        _change_weight(golden_bundle / artefact, name, change)
        return rewrite_manifest(golden_bundle)

    return make


def _change_weight(path, name, change):
    import onnx

    model = onnx.load(path)
    weight = next(item for item in model.graph.initializer if item.name == name)
    array = change(onnx.numpy_helper.to_array(weight).copy())
    weight.CopyFrom(onnx.numpy_helper.from_array(array, name))
    path.write_bytes(model.SerializeToString())


def failures(folder):
    with open_bundle(folder) as bundle:
        return [check.failure for check in verify(bundle) if check.failure]


def test_every_artefact_and_the_whole_way_are_checked(golden_bundle):
    with open_bundle(golden_bundle) as bundle:
        checks = list(verify(bundle))

    assert [(check.part, check.output) for check in checks] == [
        ("front_end", "frames"),
        ("encoder", "feature"),
        ("decoder", "texture"),
        ("decoder", "landmarks"),
        ("voice_activity", "output"),
        ("pipeline", "image"),
        ("pipeline", "avatar"),
        ("pipeline", "drawing"),
    ]
    assert not any(check.failure for check in checks)


def test_a_changed_encoder_is_found_in_itself_and_at_the_end_of_the_way(change_weight):
    def scaled(weights):
        return weights * np.float32(1.2)

    found = failures(change_weight("encoder.fp32.onnx", "weights", scaled))

    assert [failure.split(":")[0] for failure in found] == [
        "encoder onnx fp32, feature",
        "pipeline onnx fp32, image",
        "pipeline onnx fp32, avatar",
        "pipeline onnx fp32, drawing",
    ]
    assert "max_abs_relative: got 0.2, expected at most 1e-05" in found[0]


def test_a_changed_decoder_is_found_though_its_hash_is_true(change_weight):
    def one_moved(weights):
        weights[0, 0] += 1
        return weights

    found = failures(change_weight("decoder.fp32.onnx", "shape_weights", one_moved))

    assert "decoder onnx fp32, landmarks: max_abs_relative: got" in found[0]


def test_a_changed_detector_is_found(golden_bundle, change_weight):
    def flipped(weights):
        return weights * np.float32(0.9)

    import onnx

    model = onnx.load(golden_bundle / "voice_activity.fp32.onnx")
    largest = max(model.graph.initializer, key=lambda item: np.prod(item.dims)).name
    found = failures(change_weight("voice_activity.fp32.onnx", largest, flipped))

    assert found[0].startswith("voice_activity onnx fp32, output: max_abs_relative")


def test_a_changed_byte_is_told_before_anything_is_run(golden_bundle):
    content = bytearray((golden_bundle / "decoder.fp32.onnx").read_bytes())
    content[100] ^= 1
    (golden_bundle / "decoder.fp32.onnx").write_bytes(content)

    with open_bundle(golden_bundle) as bundle, pytest.raises(CheckError, match=r"decoder\.fp32\.onnx"):
        list(verify(bundle))


def test_without_golden_audio_nothing_is_good(tiny_bundle):
    with open_bundle(tiny_bundle) as bundle, pytest.raises(CheckError, match="no golden audio"):
        list(verify(bundle))


def test_an_output_without_its_golden_array_has_failed(golden_bundle, rewrite_manifest):
    rewrite_manifest(golden_bundle, lambda manifest: manifest["golden"].pop("decoder.landmarks"))

    assert failures(golden_bundle) == [
        "decoder onnx fp32, landmarks: it cannot be checked: the bundle has no golden decoder.landmarks; "
        "export it again"
    ]


def test_an_artefact_without_a_tolerance_has_failed(golden_bundle, rewrite_manifest):
    def forget(manifest):
        manifest["artefacts"][0]["parity"] = None

    found = failures(rewrite_manifest(golden_bundle, forget))
    assert found[0].startswith(
        "encoder onnx fp32, feature: it cannot be checked: the bundle gives no tolerance"
    )


def test_an_artefact_that_no_engine_here_runs_has_failed(golden_bundle, rewrite_manifest):
    def rename(manifest):
        manifest["artefacts"][1]["format"] = "tomorrow"

    found = failures(rewrite_manifest(golden_bundle, rename))
    assert (
        "decoder tomorrow fp32, texture: it cannot be checked: no engine for tomorrow is installed" in found
    )


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_golden_file_that_is_no_array_has_failed(golden_bundle, rewrite_manifest, content):
    (golden_bundle / "golden/encoder.feature.npy").write_bytes(content)

    found = failures(rewrite_manifest(golden_bundle))
    assert "encoder onnx fp32, feature: the golden encoder.feature cannot be read" in found[0]


def test_a_golden_file_with_a_pickle_is_refused(golden_bundle, rewrite_manifest):
    np.save(golden_bundle / "golden/encoder.feature.npy", np.array([{}], dtype=object), allow_pickle=True)

    found = failures(rewrite_manifest(golden_bundle))
    assert "cannot be read" in found[0]


def test_torch_is_not_needed(golden_bundle):
    program = (
        "import sys; sys.modules['torch'] = sys.modules['voxtoon_export'] = None\n"
        "from voxtoon.cli import main; sys.exit(main(['verify', sys.argv[1]]))"
    )
    ran = subprocess.run([sys.executable, "-c", program, golden_bundle], capture_output=True, check=False)

    assert ran.returncode == 0, ran.stderr
