"""The gate: environments of their own, where what cannot run or be installed is said by name."""

import dataclasses
import sys
from pathlib import Path

import pytest

from voxtoon.agreement import Agreement, Tolerance
from voxtoon.audio import read_audio
from voxtoon.bundle import open_bundle
from voxtoon.manifest import Artefact
from voxtoon.verification import Check
from voxtoon_export.bundle_writer import write_bundle
from voxtoon_export.compatibility import Row, Runtime, base_requirements, declared_runtimes, verify_on
from voxtoon_export.compatibility_page import matrix, page

ROOT = Path(__file__).resolve().parents[2]
NO_WHEELS = sys.version_info[:2] != (3, 11) or sys.platform != "linux"


@pytest.fixture(scope="module")
def litert_bundle(tiny_checkpoint, tmp_path_factory):
    """A bundle of LiteRT artefacts alone."""
    pytest.importorskip("litert_torch", reason="lowering to LiteRT needs voxtoon[export]")
    from voxtoon_export.exporter import export

    output = tmp_path_factory.mktemp("bundles") / "litert.voxtoon"
    return export(tiny_checkpoint, output=output, formats=["litert"], streaming="none").bundle


@pytest.fixture
def manifest(litert_bundle):
    with open_bundle(litert_bundle) as bundle:
        return bundle.manifest


def verified_on(runtime, bundle, tmp_path_factory):
    environments = tmp_path_factory.getbasetemp() / "environments"
    (row,) = verify_on([runtime], bundle, environments=environments, progress=lambda words: None)
    return row


def artefact(file_format, **minimum_runtime):
    names = {name.replace("_", "-"): version for name, version in minimum_runtime.items()}
    return Artefact("encoder", file_format, "fp32", f"encoder.{file_format}", names)


def test_runtimes_are_the_oldest_that_all_artefacts_take_and_the_newest(manifest):
    artefacts = (
        artefact("onnx", onnxruntime="1.9"),
        artefact("onnx", onnxruntime="1.20"),
        artefact("litert", ai_edge_litert="1.4", tflite_runtime="2.14"),
        artefact("coreml", iOS="17", macOS="14", coremltools="9.0"),
    )
    found = declared_runtimes(dataclasses.replace(manifest, artefacts=artefacts))

    assert [(runtime.format, *runtime.requirements) for runtime in found] == [
        ("litert", "ai-edge-litert==1.4.*"),
        ("litert", "ai-edge-litert"),
        ("litert", "tflite-runtime==2.14.*", "numpy<2"),
        ("litert", "tflite-runtime", "numpy<2"),
        ("onnx", "onnxruntime==1.20.*"),
        ("onnx", "onnxruntime"),
    ]


def test_an_environment_has_no_engine_but_its_own():
    names = " ".join(base_requirements())
    assert "numpy" in names
    assert "soxr" in names
    assert "onnxruntime" not in names
    assert "torch" not in names


def test_a_device_with_litert_alone_passes(litert_bundle, tmp_path_factory):
    row = verified_on(Runtime("ai-edge-litert", "litert"), litert_bundle, tmp_path_factory)

    assert row.failures == []
    assert {check.part for check in row.checks} == {
        "encoder",
        "decoder",
        "face_encoder",
        "voice_activity",
        "pipeline",
    }


def test_the_pipeline_needs_no_artefact_but_those_of_litert(litert_bundle):
    audio = read_audio(ROOT / "samples/voice.flac")
    with open_bundle(litert_bundle) as bundle:
        assert {artefact.format for artefact in bundle.manifest.artefacts} == {"litert"}
        face = bundle.pipeline(engine="litert").reconstruct(audio.samples, sample_rate=audio.sample_rate_hz)

    assert face.reason == "ok"
    assert face.speech_s > 5


@pytest.mark.skipif(NO_WHEELS, reason="tflite-runtime has wheels for Python 3.11 on Linux, and none later")
def test_the_predecessor_of_litert_passes_with_its_old_numpy(litert_bundle, tmp_path_factory):
    row = verified_on(Runtime("tflite-runtime", "litert", "2.14"), litert_bundle, tmp_path_factory)

    assert row.failures == []
    assert row.installed["numpy"].startswith("1.26")


def test_what_names_other_libraries_is_not_held_against_this_one(litert_bundle, tmp_path, tmp_path_factory):
    with open_bundle(litert_bundle) as bundle:
        files = {name: bundle.read(name) for name in bundle.manifest.files}
        others = tuple(
            dataclasses.replace(item, precision="int8", minimum_runtime={"other": "1"})
            for item in bundle.manifest.artefacts
            if item.part == "decoder"
        )
        both = dataclasses.replace(bundle.manifest, artefacts=(*bundle.manifest.artefacts, *others), files={})
    mixed = write_bundle(tmp_path / "mixed.voxtoon", manifest_without_files=both, files=files)
    row = verified_on(Runtime("ai-edge-litert", "litert"), mixed, tmp_path_factory)

    assert row.failures == []
    assert {check.precision for check in row.checks} == {"fp32"}


def test_what_cannot_be_installed_is_a_failure_with_its_reason(litert_bundle, tmp_path_factory):
    row = verified_on(Runtime("ai-edge-litert", "litert", "0.0"), litert_bundle, tmp_path_factory)

    (failure,) = row.failures
    assert failure.startswith("ai-edge-litert 0.0: cannot be installed for Python ")
    assert "No matching distribution found for ai-edge-litert==0.0" in failure


def test_a_format_that_the_bundle_does_not_hold_is_a_failure(litert_bundle, tmp_path_factory):
    row = verified_on(Runtime("ai-edge-litert", "onnx"), litert_bundle, tmp_path_factory)
    assert row.failures == ["ai-edge-litert (newest): it was given nothing to check"]


def check(part, precision, output, problem=None, **figures):
    agreement = Agreement(
        **{"max_abs": 0.1, "max_abs_relative": 0.1, "psnr_db": 99.0, "cosine": 1.0, **figures}
    )
    return Check(part, "litert", precision, output, Tolerance(psnr_db=60.0), agreement, problem)


ROWS = [
    Row(
        Runtime("ai-edge-litert", "litert", "1.4"),
        {"ai-edge-litert": "1.4.0", "numpy": "2.4.6"},
        (
            check("encoder", "fp32", "feature", max_abs_relative=2e-6),
            check("decoder", "fp32", "texture", max_abs_relative=4e-6),
            check("encoder", "fp16", "feature", "psnr_db: got 12.0, expected at least 60", psnr_db=12.0),
            check("pipeline", "fp32", "image", psnr_db=140.0),
        ),
    ),
    Row(Runtime("tflite-runtime", "litert", "2.14"), {}, problem="cannot be installed"),
]


def test_the_page_gives_the_worst_and_names_what_failed(manifest):
    text = page(ROWS, manifest)

    assert "| ai-edge-litert | 1.4.0 | 2.4.6 | litert | fp32 | 3 of 3 | 4.0e-06 | 140.0 dB |" in text
    assert "| ai-edge-litert | 1.4.0 | 2.4.6 | litert | fp16 | 0 of 1 | 12.0 dB | - |" in text
    assert "| tflite-runtime | 2.14 | - | litert | - | NOT CHECKED | - | - |" in text
    assert "- ai-edge-litert 1.4.0: encoder litert fp16, feature: psnr_db: got 12.0" in text
    assert "- tflite-runtime 2.14: cannot be installed" in text


def test_the_terminal_gets_the_same_rows():
    assert [line.split()[0] for line in matrix(ROWS).splitlines()] == [
        "runtime",
        "ai-edge-litert",
        "ai-edge-litert",
        "tflite-runtime",
    ]
