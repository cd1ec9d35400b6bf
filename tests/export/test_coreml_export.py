"""Core ML in a bundle: exported, verified and looked into as any other format, not let in when damaged."""

import dataclasses

import pytest

import voxtoon
from voxtoon.cli import main
from voxtoon.errors import CheckError, InputError
from voxtoon.verification import verify
from voxtoon_export import exporter
from voxtoon_export.converter_noise import silenced
from voxtoon_export.lowering import format_named

MODEL = "Data/com.apple.CoreML/model.mlmodel"


@pytest.fixture(scope="module", params=["tiny.voxtoon", "tiny"], ids=["zip", "folder"])
def report(request, tiny_checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("exported") / request.param
    return exporter.export(tiny_checkpoint, output=output, formats=("onnx", "coreml"))


def test_the_bundle_lists_every_file_of_a_package_and_passes_verification(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        packages = [item for item in bundle.manifest.artefacts if item.format == "coreml"]
        assert [item.file for item in packages] == [
            f"{part}.fp32.mlpackage"
            for part in ("encoder", "decoder", "face_encoder", "encoder_step", "head", "voice_activity")
        ]
        for item in packages:
            assert f"{item.file}/{MODEL}" in bundle.manifest.files_in(item.file)
            assert report.sizes_bytes[item.file] == sum(map(len, bundle.read_folder(item.file).values()))
        checks = list(verify(bundle))
    of_coreml = {(check.part, check.output) for check in checks if check.format == "coreml"}
    assert of_coreml >= {("encoder", "feature"), ("decoder", "texture"), ("pipeline", "avatar")}
    assert not [check for check in checks if check.problem]


def test_a_package_tells_its_system_and_front_end(report, tiny_checkpoint):
    with silenced():
        from coremltools import proto
    with voxtoon.open_bundle(report.bundle) as bundle:
        model = proto.Model_pb2.Model.FromString(bundle.read_folder("encoder.fp32.mlpackage")[MODEL])
    metadata = model.description.metadata
    assert metadata.license == "CC0-1.0"
    assert metadata.userDefined["voxtoon.variant"] == "tiny"
    assert '"kind": "log_mel"' in metadata.userDefined["voxtoon.front_end"]


def test_inspect_shows_packages_with_their_size(report, capsys):
    assert main(["inspect", str(report.bundle)]) == 0
    assert "decoder.fp32.mlpackage: decoder, coreml fp32, " in capsys.readouterr().out


def test_auto_does_not_choose_it_and_by_name_it_runs(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        assert bundle.session("encoder").engine == "onnx"
        assert bundle.session("encoder", engine="coreml").engine == "coreml"
        with pytest.raises(InputError, match="no such folder"):
            bundle.read_folder("encoder.fp32.onnx")


def test_a_damaged_package_is_not_let_in_and_its_first_wrong_layer_is_named(
    tiny_checkpoint, tmp_path, monkeypatch
):
    with silenced():
        from coremltools import proto
    coreml = format_named("coreml")

    def lower(module, part, precisions):
        lowered = coreml.lower(module, part, precisions)
        if part.name != "face_encoder":
            return lowered
        model = proto.Model_pb2.Model.FromString(lowered["fp32"][MODEL])
        (function,) = model.mlProgram.functions.values()
        (block,) = function.block_specializations.values()
        last = [item for item in block.operations if item.type == "relu"][-1]
        last.type = "sigmoid"
        return {"fp32": {**lowered["fp32"], MODEL: model.SerializeToString()}}

    changed = dataclasses.replace(coreml, lower=lower)
    monkeypatch.setattr(
        exporter, "format_named", lambda name: changed if name == "coreml" else format_named(name)
    )
    with pytest.raises(CheckError) as caught:
        exporter.export(tiny_checkpoint, output=tmp_path / "out.voxtoon", formats=("coreml",))
    message = str(caught.value)
    assert "face_encoder coreml fp32 fails on the sample voice: feature: max_abs_relative: got " in message
    assert "it appears after conv2, at relu_4: sigmoid " in message
    assert list(tmp_path.iterdir()) == []
