"""`voxtoon export`: from a checkpoint file to a verified bundle, quietly."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from voxtoon.agreement import Tolerance
from voxtoon.cli import main
from voxtoon_export import exporter
from voxtoon_export.lowering import format_named

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkpoint_file(tmp_path_factory, mean_landmarks):
    """The encoder and decoder of a variant that has a name, with random weights."""
    from voxtoon_export.checkpoint import save_checkpoint
    from voxtoon_export.network import build
    from voxtoon_export.systems import variant

    path = tmp_path_factory.mktemp("checkpoint") / "random.safetensors"
    named = variant("speech2face-mel-w8")
    tensors = {name: build(named.parts[name]).state_dict() for name in ("encoder", "decoder")}
    tensors["decoder"]["landmarks_affine.offset"].copy_(_tensor(mean_landmarks))
    save_checkpoint(path, variant=named, tensors=tensors, statistics={"mean_landmarks": mean_landmarks})
    return path


def _tensor(array):
    import torch

    return torch.from_numpy(array)


def test_a_checkpoint_becomes_a_bundle_that_verifies_and_nothing_else_is_said(checkpoint_file, tmp_path):
    """In a process of its own, so that what torch and its exporter say would be heard."""
    out = tmp_path / "out.voxtoon"
    command = ["export", "--checkpoint", checkpoint_file, "--precision", "fp32", "fp16", "-o", out]
    command += ["--to", "onnx", "--verify-audio", ROOT / "samples/voice_8k.wav"]
    program = "import sys; from voxtoon.cli import main; sys.exit(main(sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    header, *lines = ran.stdout.splitlines()
    assert header.split()[:3] == ["artefact", "bytes", "reference"]
    assert [line.split()[0] for line in lines[:9]] == [
        "encoder.fp32.onnx",
        "encoder.fp16.onnx",
        "decoder.fp32.onnx",
        "decoder.fp16.onnx",
        "encoder_step.fp32.onnx",
        "head.fp32.onnx",
        "encoder_step.fp16.onnx",
        "head.fp16.onnx",
        "voice_activity.fp32.onnx",
    ]
    assert lines[9:] == [
        "checked on the sample voice, voice_8k.wav",
        "note: the checkpoint has no face_encoder: the bundle has none",
        "note: the checkpoint has no avatar statistics: the bundle gives faces, no avatars",
        f"wrote {out}",
    ]
    assert main(["verify", str(out)]) == 0


def test_a_miss_is_one_line_and_exit_code_1_and_no_bundle(checkpoint_file, tmp_path, monkeypatch, capsys):
    exact = {"fp32": Tolerance(max_abs_relative=0.0)}
    strict = dataclasses.replace(format_named("onnx"), tolerances=exact)
    monkeypatch.setattr(exporter, "format_named", lambda name: strict)

    command = ["export", "--checkpoint", str(checkpoint_file), "-o", str(tmp_path / "out.voxtoon")]
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.startswith("voxtoon: error: encoder onnx fp32 fails on the sample voice")
    assert "feature: max_abs_relative: got " in told
    assert "expected at most 0; no bundle was written" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--checkpoint": "no.safetensors"}, "cannot read checkpoint no.safetensors"),
        ({"--to": "flash"}, "unknown format: got flash, expected one of"),
        ({"--precision": "int3"}, "unknown precision for onnx: got int3"),
        ({"--variant": "speech2face-xl"}, "unknown variant"),
        ({"--system": "wave2face"}, "the checkpoint is of another system: got speech2face"),
        ({"--verify-audio": str(ROOT / "README.md")}, "not a sound file"),
        ({"-o": "no/such/folder/out.voxtoon"}, "no folder to write the bundle to"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(checkpoint_file, tmp_path, monkeypatch, capsys, change, says):
    monkeypatch.chdir(tmp_path)
    options = {"--checkpoint": str(checkpoint_file), "-o": "out.voxtoon", **change}

    assert main(["export", *(word for pair in options.items() for word in pair)]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_torch_it_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from voxtoon.cli import main\n"
        "sys.exit(main(['export', '--checkpoint', 'c.safetensors', '-o', 'o.voxtoon']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert ran.returncode == 2
    assert (
        "exporting is not installed: got no torch; install it with: pip install 'voxtoon[export]'"
        in ran.stderr
    )


def test_one_file_of_all_parts_is_written_beside_the_bundle(checkpoint_file, tmp_path, capsys):
    out, one = tmp_path / "out.voxtoon", tmp_path / "parts.tflite"
    command = ["export", "--checkpoint", str(checkpoint_file), "-o", str(out), "--together", str(one)]

    assert main([*command, "--to", "litert", "--streaming", "none"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == f"wrote {one}, {one.stat().st_size:,} bytes"


def test_one_file_of_all_parts_without_litert_is_refused_before_the_work(checkpoint_file, tmp_path, capsys):
    command = ["export", "--checkpoint", str(checkpoint_file), "-o", str(tmp_path / "out.voxtoon")]

    assert main([*command, "--together", str(tmp_path / "parts.tflite")]) == 2
    assert "one file of all parts is LiteRT's: got --to onnx" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
