"""``voxtoon inspect`` tells what is there, and runs none of it."""

import json
import subprocess
import sys

import pytest
import valid_bundle
from valid_bundle import write_folder, write_zip

from voxtoon.cli import main


def inspect(*words, code=0):
    assert main(["inspect", *map(str, words)]) == code


@pytest.fixture
def no_exporter(monkeypatch):
    """As where only the runtime is installed."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "voxtoon_export.onnx_summary", raising=False)


def test_a_bundle_is_told_for_people(tiny_bundle, capsys):
    inspect(tiny_bundle)
    told = capsys.readouterr().out
    for words in (
        "speech2face, variant tiny, format 1.0",
        "front end: kind log_mel, sample_rate_hz 16000",
        "input frames float32 [1, time, 64, 1] (batch, time, frequency, channel)",
        "output landmarks float32 [1, 68, 2]",
        "decoder.fp32.onnx: decoder, onnx fp32",
        "intended use: tests",
        "limits: random weights",
        "# Random weights",
    ):
        assert words in told


def test_a_bundle_is_told_for_programs(tiny_bundle, capsys):
    inspect(tiny_bundle, "--json")
    found = json.loads(capsys.readouterr().out)
    assert [part["name"] for part in found["parts"]] == ["encoder", "decoder", "voice_activity"]
    assert found["bytes"] == sum(
        file.stat().st_size for file in tiny_bundle.iterdir() if file.stem != "manifest"
    )
    assert found["model_card"] == "# Random weights\n"
    encoder = found["artefacts"][0]
    assert encoder["bytes"] == (tiny_bundle / "encoder.fp32.onnx").stat().st_size


def test_folder_and_zip_are_told_alike(tmp_path, capsys, no_exporter):
    write_folder(tmp_path / "folder", valid_bundle.manifest())
    write_zip(tmp_path / "zip", valid_bundle.manifest())
    told = []
    for name in ("folder", "zip"):
        inspect(tmp_path / name, "--json")
        told.append({**json.loads(capsys.readouterr().out), "path": None})
    assert told[0] == told[1]


def test_parity_is_told_where_it_was_measured(tmp_path, capsys, no_exporter):
    write_folder(tmp_path / "bundle", valid_bundle.manifest())
    inspect(tmp_path / "bundle")
    assert "against torch: max abs 1e-06 (1e-07 of the scale), PSNR 140.0 dB" in capsys.readouterr().out


def test_operators_are_counted(tiny_bundle, capsys):
    pytest.importorskip("onnx", reason="operators are counted by the extra `export`")
    inspect(tiny_bundle / "encoder.fp32.onnx", "--json")
    summary = json.loads(capsys.readouterr().out)["summary"]
    counted = [summary[f"{kind}_operators"] for kind in ("float", "integer", "other")]
    assert sum(counted) == sum(summary["operators"].values())
    assert summary["inputs"]["frames"][2:] == [64, 1]


def test_without_the_extra_the_rest_is_told_and_the_extra_is_named(tiny_bundle, capsys, no_exporter):
    for path in (tiny_bundle, tiny_bundle / "encoder.fp32.onnx"):
        inspect(path)
        assert "pip install 'voxtoon[export]'" in capsys.readouterr().out


def test_a_damaged_bundle_ends_with_1(tmp_path, capsys, no_exporter):
    files = {**valid_bundle.FILES, "model_card.md": b"# Another card, as long\n".ljust(38)}
    write_folder(tmp_path / "bundle", valid_bundle.manifest(), files)
    inspect(tmp_path / "bundle", code=1)
    assert "model_card.md has" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing.voxtoon", "nothing.onnx", "sound.wav", "noise.onnx", "."])
def test_what_is_neither_ends_with_2_and_one_line(tmp_path, capsys, name):
    (tmp_path / "sound.wav").write_bytes(b"RIFF....WAVE")
    (tmp_path / "noise.onnx").write_bytes(b"no model at all")
    if name == "noise.onnx":
        pytest.importorskip("onnx", reason="only the extra `export` looks into an artefact")
    inspect(tmp_path / name, code=2)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_a_terminal_is_not_commanded_by_a_bundle(tmp_path, capsys, no_exporter):
    value = {**valid_bundle.manifest(), "limits": "none\x1b[2J"}
    write_folder(tmp_path / "bundle", value)
    inspect(tmp_path / "bundle")
    assert "\x1b" not in capsys.readouterr().out


def test_no_engine_is_loaded(tiny_bundle):
    code = "import sys; from voxtoon.cli import main; main(sys.argv[1:]); print('onnxruntime' in sys.modules)"
    words = [sys.executable, "-c", code, "inspect", tiny_bundle]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.endswith("False\n")
