"""An export is a whole bundle whose every artefact was checked, or nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

import voxtoon
from voxtoon.audio import read_audio
from voxtoon.bench.host import run
from voxtoon.bench.record import Protocol
from voxtoon.errors import CheckError, InputError
from voxtoon.verification import verify
from voxtoon_export import exporter
from voxtoon_export.lowering import format_named

PARTS = ("encoder", "decoder", "face_encoder", "encoder_step", "head")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def lowered_once(tiny_artefacts):
    """Torch's exporter takes seconds for each part: what it gave once is taken again."""

    def lower(module, part, precisions):
        return {precision: tiny_artefacts[part.name][precision] for precision in precisions}

    known = dataclasses.replace(format_named("onnx"), lower=lower)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "format_named", lambda name: known if name == "onnx" else format_named(name))
        yield


@pytest.fixture(scope="module")
def report(tiny_checkpoint, tmp_path_factory):
    return exporter.export(
        tiny_checkpoint,
        output=tmp_path_factory.mktemp("exported") / "tiny.voxtoon",
        precisions=("fp32", "fp16"),
        audio=[ROOT / "samples/voice_8k.wav"],
    )


@pytest.fixture
def lower_differently(monkeypatch, tiny_artefacts):
    """Change what the ONNX lowering gives for one part, after the fact."""

    def install(part_name, change):
        def lower(module, part, precisions):
            contents = {precision: tiny_artefacts[part.name][precision] for precision in precisions}
            if part.name == part_name:
                contents = {precision: change(content) for precision, content in contents.items()}
            return contents

        changed = dataclasses.replace(format_named("onnx"), lower=lower)
        monkeypatch.setattr(exporter, "format_named", lambda name: changed)

    return install


def test_the_bundle_passes_its_own_verification(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        checks = list(verify(bundle))

    assert [check.failure for check in checks if check.failure] == []
    assert {check.part for check in checks} == {
        "front_end",
        "encoder",
        "decoder",
        "face_encoder",
        "encoder_step",
        "head",
        "voice_activity",
        "pipeline",
    }


def test_every_artefact_carries_its_parity_and_tolerance(report):
    artefacts = {artefact.file: artefact.parity for artefact in report.manifest.artefacts}

    assert set(artefacts) == {
        *(f"{part}.{p}.onnx" for part in PARTS for p in ("fp32", "fp16")),
        "voice_activity.fp32.onnx",
    }
    for file, parity in artefacts.items():
        assert parity.cosine > 0.999
        if "fp32" in file:
            assert parity.tolerance == {"max_abs_relative": 1e-5}
            assert parity.max_abs_relative <= 1e-5
        else:
            assert parity.tolerance == {"psnr_db": 60.0}
            assert parity.psnr_db >= 60.0


def test_the_runtime_draws_a_face_with_it(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        face = bundle.pipeline(precision="fp16").decode(np.zeros(16, np.float32))

    assert face.image.shape == (224, 224, 3)


@pytest.fixture(scope="module")
def streamed_only(tiny_checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("exported") / "only.voxtoon"
    return exporter.export(tiny_checkpoint, output=output, streaming="only")


def test_a_bundle_of_step_and_head_is_measured_as_any_other(streamed_only):
    done = run(streamed_only.bundle, protocol=Protocol(warmup_runs=1, runs=1, cold_runs=1))

    assert done.error is None
    assert done.record.accurate
    assert [used.part for used in done.record.artefacts] == [
        "decoder",
        "encoder_step",
        "head",
        "voice_activity",
    ]
    assert {"encoder", "step", "whole"} <= done.record.latency.keys()


def test_the_manifest_tells_how_step_and_head_are_run(report):
    streaming = report.manifest.streaming

    assert dataclasses.astuple(streaming) == ("encoder_step", "head", 64, 61, 259, 64)
    assert report.manifest.part("encoder_step").macs_per_clip > report.manifest.part("encoder").macs_per_clip


def test_the_verification_runs_the_step_call_by_call(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        found = {
            (check.part, check.precision): check
            for check in verify(bundle)
            if check.part in ("encoder_step", "head")
        }

    assert {(key, check.output) for key, check in found.items()} == {
        (("encoder_step", "fp32"), "trunk"),
        (("encoder_step", "fp16"), "trunk"),
        (("head", "fp32"), "feature"),
        (("head", "fp16"), "feature"),
    }
    assert all(0 < check.agreement.psnr_db < 300 for check in found.values())


def test_step_and_head_can_stand_for_the_encoder(report, streamed_only, tiny_checkpoint):
    """The same faces out of one artefact less; the bundle still says what its encoder is."""
    voice = read_audio(ROOT / "samples/voice.flac")
    with voxtoon.open_bundle(report.bundle) as whole, voxtoon.open_bundle(streamed_only.bundle) as bundle:
        files = {artefact.file for artefact in bundle.manifest.artefacts}
        assert not [check for check in verify(bundle) if check.failure]
        assert {check.output for check in verify(bundle) if check.part == "pipeline"} == {
            "image",
            "avatar",
            "drawing",
        }
        assert "encoder.fp32.onnx" not in files
        assert bundle.manifest.part("encoder") == whole.manifest.part("encoder")
        features = [
            opened.pipeline(precision="fp32").feature(voice.samples, sample_rate=voice.sample_rate_hz)
            for opened in (whole, bundle)
        ]
    np.testing.assert_allclose(features[0], features[1], rtol=0, atol=1e-5 * np.abs(features[0]).max())


def test_others_work_is_named_with_its_licence(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        assert b"Silero Team" in bundle.read("THIRD_PARTY.md")
        assert bundle.manifest.part("voice_activity").licence == "MIT (Silero Team)"
        assert bundle.manifest.part("encoder").licence == "CC0-1.0"


def test_the_model_card_tells_audio_and_parity(report):
    with voxtoon.open_bundle(report.bundle) as bundle:
        card = bundle.read("model_card.md").decode()

    assert "Checked on the sample voice, voice_8k.wav." in card
    assert "- Seed: 0" in card
    assert "| decoder.fp16.onnx | torch |" in card


def zero_one_weight(content):
    model = onnx.load_from_string(content)
    weight = next(item for item in model.graph.initializer if item.name == "landmarks_fc2.weight")
    array = onnx.numpy_helper.to_array(weight).copy()
    array[:, :8] = 0
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (zero_one_weight, "decoder onnx fp32 fails on the sample voice: landmarks: max_abs_relative: got "),
        (lambda content: content[: len(content) // 2], "onnxruntime cannot load the artefact"),
    ],
)
def test_a_bad_artefact_leaves_no_bundle_behind(tiny_checkpoint, lower_differently, tmp_path, change, says):
    lower_differently("decoder", change)

    with pytest.raises(CheckError) as caught:
        exporter.export(tiny_checkpoint, output=tmp_path / "out.voxtoon")
    assert says in str(caught.value)
    assert ("; it appears after relu_" in str(caught.value)) == (change is zero_one_weight)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_leaves_the_bundle_that_was_there(tiny_checkpoint, lower_differently, tmp_path):
    lower_differently("decoder", zero_one_weight)
    (tmp_path / "out.voxtoon").write_bytes(b"yesterday's")

    with pytest.raises(CheckError):
        exporter.export(tiny_checkpoint, output=tmp_path / "out.voxtoon")
    assert (tmp_path / "out.voxtoon").read_bytes() == b"yesterday's"


def test_an_encoder_alone_without_step_and_head_is_exported_and_said(tiny_checkpoint, tmp_path):
    encoder = {"encoder": tiny_checkpoint.tensors["encoder"]}
    alone = dataclasses.replace(tiny_checkpoint, tensors=encoder, statistics={}, avatar_statistics=None)
    report = exporter.export(alone, output=tmp_path / "encoder", streaming="none")

    assert "the checkpoint has no decoder: the bundle has none" in report.notes
    with voxtoon.open_bundle(report.bundle) as bundle:
        assert [part.name for part in bundle.manifest.parts] == ["encoder", "voice_activity"]
        assert bundle.manifest.streaming is None
        with pytest.raises(InputError, match="the bundle has no streaming encoder"):
            bundle.streamed_encoder()
        assert not [check for check in verify(bundle) if check.failure]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"formats": ["tflite"]}, "unknown format: got tflite"),
        ({"precisions": ["int3"]}, "unknown precision for onnx: got int3, expected fp32 or fp16"),
        ({"streaming": "perhaps"}, "unknown choice of streaming: got perhaps, expected both or only or none"),
        ({"audio": ["nowhere.wav"]}, "nowhere.wav: no such file"),
    ],
)
def test_wrong_use_is_told_before_the_work(tiny_checkpoint, tmp_path, options, says):
    steps = []
    with pytest.raises(InputError, match=says):
        exporter.export(tiny_checkpoint, output=tmp_path / "out.voxtoon", progress=steps.append, **options)
    assert steps == []


def test_a_missing_folder_is_told_before_the_work(tiny_checkpoint, tmp_path):
    steps = []
    with pytest.raises(InputError, match="no folder to write the bundle to"):
        exporter.export(tiny_checkpoint, output=tmp_path / "no" / "out.voxtoon", progress=steps.append)
    assert steps == []


def test_a_decoder_without_a_mean_shape_is_refused(tiny_checkpoint, tmp_path):
    without = dataclasses.replace(tiny_checkpoint, statistics={})
    with pytest.raises(InputError, match="no mean landmarks for the warp"):
        exporter.export(without, output=tmp_path / "out.voxtoon")
