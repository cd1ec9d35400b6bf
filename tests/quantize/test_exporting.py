"""`voxtoon export --precision int8`: a bundle that holds nothing but what was asked for."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import voxtoon
from voxtoon.audio import read_audio
from voxtoon.bench.host import candidates
from voxtoon.bench.record import Protocol
from voxtoon.bench.transports import Options
from voxtoon.bench.tune import Limits, choose, write
from voxtoon.cli import main
from voxtoon.errors import InputError
from voxtoon.verification import verify
from voxtoon_export.checkpoint import load_checkpoint
from voxtoon_quantize.exporting import export_quantized
from voxtoon_quantize.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "recipes/checkpoints/speech2face-mel-w4.safetensors"
SAMPLE = ROOT / "samples/voice.flac"
MAXIMUM_BYTES = 4_000_000


@pytest.fixture(scope="module")
def made(voices, tmp_path_factory):
    """The default model as `make bundle` makes it, besides a bundle of floats; of other recordings."""
    output = tmp_path_factory.mktemp("default") / "default.voxtoon"
    exported, quantized = export_quantized(
        load_checkpoint(CHECKPOINT),
        output=output,
        calibrate=voices,
        recipe=Recipe(),
        precisions=["fp32", "int8"],
    )
    return exported, quantized


@pytest.fixture(scope="module")
def tried(made):
    """What ``bench --tune`` measures of both precisions here, and what tells this device apart."""
    protocol = Protocol(warmup_runs=1, runs=5)
    return candidates(made[1].bundle, on="local", protocol=protocol, options=Options())


@pytest.fixture(scope="module")
def slim(made, voices, tmp_path_factory):
    """The same of int8 alone, the encoder as `export --streaming only` leaves it: as step and head."""
    from voxtoon_export.bundle_writer import write_bundle
    from voxtoon_quantize.quantizer import quantize

    folder = tmp_path_factory.mktemp("slim")
    with voxtoon.open_bundle(made[1].bundle) as bundle:
        described = bundle.manifest
        kept = tuple(item for item in described.artefacts if item.part != "encoder")
        lost = {item.file for item in described.artefacts} - {item.file for item in kept}
        only = write_bundle(
            folder / "only.voxtoon",
            manifest_without_files=replace(described, artefacts=kept, files={}),
            files={name: bundle.read(name) for name in described.files if name not in lost},
        )
    output = folder / "slim.voxtoon"
    return quantize(only, audio=voices, recipe=Recipe(), output=output, keep=(), clips=24).bundle


def test_the_default_model_passes_its_gate(made):
    _, quantized = made

    assert {(part.name, part.precision) for part in quantized.parts} == {
        (name, "int8") for name in ("encoder", "decoder", "encoder_step", "head")
    }
    with voxtoon.open_bundle(quantized.bundle) as bundle:
        assert [check.failure for check in verify(bundle) if check.failure] == []


def test_int8_draws_the_same_face(made):
    audio = read_audio(SAMPLE)
    with voxtoon.open_bundle(made[1].bundle) as bundle:
        faces = [
            bundle.pipeline(precision=name).reconstruct(audio.samples, sample_rate=audio.sample_rate_hz)
            for name in ("fp32", "int8", "auto")
        ]
    assert np.abs(faces[0].image - faces[1].image).mean() < 0.02
    np.testing.assert_array_equal(faces[1].image, faces[2].image)


def test_tuning_takes_what_was_measured_to_be_fastest_whichever_it_is(tried):
    _, found = tried
    chosen = choose(found, Limits())
    for part in ("encoder", "decoder"):
        seconds = {(c.precision, c.threads): c.p50_s for c in found if c.part == part}
        assert {precision for precision, _ in seconds} == {"fp32", "int8"}
        assert chosen[part].p50_s <= 1.03 * min(seconds.values())


@pytest.mark.parametrize(("slow", "other"), [("int8", "fp32"), ("fp32", "int8")])
def test_where_one_precision_is_slow_the_other_is_chosen_and_auto_follows(made, tried, slow, other, tmp_path):
    bundle_path = shutil.copy(made[1].bundle, tmp_path / "tuned.voxtoon")
    device, found = tried
    elsewhere = [replace(c, p50_s=10 * c.p50_s) if c.precision == slow else c for c in found]
    audio = read_audio(SAMPLE)
    with voxtoon.open_bundle(bundle_path) as bundle:
        write(bundle_path, bundle.manifest, device, choose(elsewhere, Limits()))
    with voxtoon.open_bundle(bundle_path) as bundle:
        assert {bundle.session(part).precision for part in ("encoder", "decoder")} == {other}
        auto, chosen = (
            bundle.pipeline(precision=name).reconstruct(audio.samples, sample_rate=audio.sample_rate_hz)
            for name in ("auto", other)
        )
    np.testing.assert_array_equal(auto.feature, chosen.feature)


def test_a_bundle_of_int8_alone_is_small_and_whole(slim):
    assert slim.stat().st_size <= MAXIMUM_BYTES
    with voxtoon.open_bundle(slim) as bundle:
        held = {(item.part, item.precision) for item in bundle.manifest.artefacts}
        parts = {part.name for part in bundle.manifest.parts}
        assert [check.failure for check in verify(bundle) if check.failure] == []
    names = ("encoder_step", "head", "decoder")
    assert held == {*((name, "int8") for name in names), ("voice_activity", "fp32")}
    assert parts == {"encoder", *names, "voice_activity"}


def test_a_call_is_heard_in_integers_where_the_bundle_has_them(slim, made):
    from voxtoon.talk_listener import TalkListener

    with voxtoon.open_bundle(slim) as bundle:
        assert isinstance(bundle.pipeline().call_listener(), TalkListener)
        stream = bundle.streamed_encoder().stream()
    states = {name: state.dtype for name, state in stream.state.states.items()}
    assert states.pop("position") == np.float32
    assert set(states.values()) == {np.dtype(np.uint8)}

    audio = read_audio(SAMPLE)
    faces = []
    with voxtoon.open_bundle(made[1].bundle) as bundle:
        for precision in ("fp32", "int8"):
            call = bundle.pipeline(precision=precision).stream(sample_rate=audio.sample_rate_hz)
            with call:
                updates = call.push(audio.samples)
                faces.append(updates[-1].face)
    assert np.abs(faces[0].image - faces[1].image).mean() < 0.02


def test_what_ships_is_of_int8_alone():
    with voxtoon.open_bundle() as bundle:
        found = {(item.part, item.precision) for item in bundle.manifest.artefacts}

    assert ("decoder", "int8") in found
    assert {precision for part, precision in found if part != "voice_activity"} == {"int8"}
    assert bundle.path.stat().st_size <= MAXIMUM_BYTES


def test_what_is_refused_leaves_nothing_behind(tiny_checkpoint, voices, tmp_path):
    from voxtoon_quantize.report import RefusedError

    with pytest.raises(RefusedError):
        export_quantized(tiny_checkpoint, output=tmp_path / "out.voxtoon", calibrate=voices, recipe=Recipe())
    assert list(tmp_path.iterdir()) == []


def test_a_format_without_recipes_is_told_before_the_work(tiny_checkpoint, voices, tmp_path):
    with pytest.raises(InputError, match=r"unknown format to quantize: got 'onyx'.*did you mean onnx"):
        export_quantized(
            tiny_checkpoint,
            output=tmp_path / "out.voxtoon",
            calibrate=voices,
            recipe=Recipe(),
            formats=["onyx"],
        )


def test_the_command_needs_recordings(capsys, tmp_path):
    words = ["export", "--checkpoint", str(CHECKPOINT), "--precision", "int8"]

    assert main([*words, "-o", str(tmp_path / "o.voxtoon")]) == 2
    assert "nothing to calibrate on: expected --calibrate DIR" in capsys.readouterr().err
