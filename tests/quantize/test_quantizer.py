"""A bundle goes in, and comes out with int8 artefacts that deserve the name, or as it was."""

import json
import resource
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

import voxtoon
from voxtoon.errors import CheckError, InputError
from voxtoon_quantize import quantizer
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.report import RefusedError

RECIPE = Recipe(target="x86")


def quantize(path, **more):
    """With fewer recordings than one would take: what happens is the same."""
    return quantizer.quantize(path, **{"clips": 6, "judged_clips": 4, **more})


@pytest.fixture(scope="module")
def allowed(tiny_bundle, voices, tmp_path_factory):
    output = tmp_path_factory.mktemp("allowed") / "allowed.voxtoon"
    return quantize(tiny_bundle, audio=voices, recipe=RECIPE, output=output, allow=True)


def test_what_misses_the_gate_is_refused_with_what_it_missed(tiny_bundle, voices, tmp_path):
    output = tmp_path / "refused.voxtoon"

    with pytest.raises(RefusedError, match=r"refused as int8: got .*times smaller than fp32") as refused:
        quantize(tiny_bundle, audio=voices, recipe=RECIPE, output=output)
    assert refused.value.exit_code == 1
    assert not list(tmp_path.iterdir())
    assert {part.name for part in refused.value.parts} == {"encoder", "decoder", "encoder_step", "head"}


def test_layers_that_are_not_in_integers_are_named_with_the_reason(tiny_bundle, voices, tmp_path):
    recipe = Recipe(overrides=(Override("decoder.texture_up*", "fp32"),))

    with pytest.raises(RefusedError, match=r"decoder\.texture_up\d is not in integers \(.*left in float32\)"):
        quantize(tiny_bundle, audio=voices, recipe=recipe, output=tmp_path / "out.voxtoon")


def test_allowed_it_is_kept_under_another_name(allowed):
    with voxtoon.open_bundle(allowed.bundle) as bundle:
        artefacts = {item.file: item for item in bundle.manifest.artefacts}
        bundle.verify_all()

    kept = [item for item in artefacts.values() if item.precision == "int8-unverified"]
    assert kept
    assert all(item.file == f"{item.part}.{item.precision}.onnx" for item in kept)


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_what_is_unverified_is_verified_inspected_and_run_like_the_rest(
    tiny_bundle, mobile_bundle, voices, tmp_path, capsys, name
):
    """It missed a gate; that it computes elsewhere what it did here can be checked all the same."""
    from voxtoon.cli import main

    if name == "litert":
        pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")
    source = {"onnx": tiny_bundle, "litert": mobile_bundle}[name]
    bundle, face = str(tmp_path / "int8.voxtoon"), tmp_path / "face.svg"
    words = [
        "--calibrate",
        str(voices),
        "--clips",
        "4",
        "--judged",
        "3",
        "--to",
        name,
        "--allow",
        "-o",
        bundle,
    ]
    assert main(["quantize", str(source), *words]) == 0
    capsys.readouterr()

    assert main(["verify", bundle, "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    precision = "int8-unverified"
    ours = [check for check in checks if (check["format"], check["precision"]) == (name, precision)]
    assert {"encoder", "decoder", "encoder_step", "head"} <= {check["part"] for check in ours}

    assert main(["inspect", bundle, "--json"]) == 0
    artefacts = json.loads(capsys.readouterr().out)["artefacts"]
    kept = [item for item in artefacts if (item["format"], item["precision"]) == (name, precision)]
    assert {item["part"] for item in kept} == {"encoder", "decoder", "encoder_step", "head"}

    voice = str(sorted(voices.iterdir())[0])
    run = ["face", voice, "--bundle", bundle, "--engine", name, "--precision", precision, "-o", str(face)]
    assert main(run) == 0
    assert face.read_text().startswith("<svg")


def test_the_manifest_tells_recipe_parity_and_quality(allowed):
    with voxtoon.open_bundle(allowed.bundle) as bundle:
        (encoder,) = (
            item
            for item in bundle.manifest.artefacts_of("encoder")
            if item.precision in ("int8", "int8-unverified")
        )

    assert Recipe.from_text(encoder.recipe) == RECIPE
    assert encoder.parity.reference == "onnx fp32"
    assert encoder.parity.tolerance == {"psnr_db": 25.0}
    assert {"angle_mean_deg", "psnr_db", "integer_macs", "smaller"} <= encoder.quality.keys()
    assert "faster" not in encoder.quality
    assert encoder.quality["integer_macs"] == 1.0


def test_the_same_recordings_make_the_same_bundle(allowed, tiny_bundle, voices, tmp_path):
    again = quantize(tiny_bundle, audio=voices, recipe=RECIPE, output=tmp_path / "again.voxtoon", allow=True)

    assert again.bundle.read_bytes() == allowed.bundle.read_bytes()


def test_the_model_card_tells_of_the_new_artefacts(allowed):
    with voxtoon.open_bundle(allowed.bundle) as bundle:
        card = bundle.read("model_card.md").decode()
        rows = [f"| {item.file} | {item.parity.reference} |" for item in bundle.manifest.artefacts]

    assert [card.count(row) for row in rows] == [1] * len(rows)


def test_quantized_again_the_old_artefacts_give_way(allowed, voices):
    again = quantize(allowed.bundle, audio=voices, recipe=RECIPE, clips=4, allow=True)

    with voxtoon.open_bundle(again.bundle) as bundle:
        names = [(item.part, item.precision.partition("-")[0]) for item in bundle.manifest.artefacts]
    assert names.count(("encoder", "int8")) == names.count(("decoder", "int8")) == 1


def test_the_rest_of_the_bundle_is_as_it_was(allowed, tiny_bundle):
    with voxtoon.open_bundle(tiny_bundle) as before, voxtoon.open_bundle(allowed.bundle) as after:
        changed = {
            name for name, entry in before.manifest.files.items() if after.manifest.files[name] != entry
        }
        assert changed == {before.manifest.model_card}
        assert before.manifest.artefacts == after.manifest.artefacts[: len(before.manifest.artefacts)]


def test_recordings_that_give_nothing_are_counted(tiny_bundle, voices, tmp_path):
    folder = tmp_path / "voices"
    folder.mkdir()
    for path in voices.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "broken.wav").write_bytes(b"RIFF and nothing else")

    report = quantize(
        tiny_bundle,
        audio=folder,
        recipe=RECIPE,
        output=tmp_path / "out.voxtoon",
        allow=True,
        clips=64,
        judged_clips=64,
    )
    assert [item.path.name for item in report.skipped] == ["broken.wav"]
    assert report.calibrated + report.judged == 30


def test_a_bundle_without_float_parts_is_refused(tiny_checkpoint, voices, tmp_path):
    from voxtoon_export.exporter import export

    bundle = export(tiny_checkpoint, output=tmp_path / "half.voxtoon", precisions=["fp16"]).bundle

    with pytest.raises(InputError, match=r"cannot be quantized: got onnx fp16, expected .* onnx fp32"):
        quantize(bundle, audio=voices, recipe=RECIPE)


def test_a_layer_that_is_not_there_is_told_before_anything_is_run(tiny_bundle, tmp_path, voices):
    recipe = Recipe(overrides=(Override("encoder.conv10", "fp16"),))

    with pytest.raises(InputError, match=r"unknown layer of encoder.*did you mean conv1"):
        quantize(tiny_bundle, audio=voices, recipe=recipe, output=tmp_path / "out.voxtoon")


def test_a_recipe_without_integers_makes_no_int8(tiny_bundle, voices, tmp_path):
    with pytest.raises(InputError, match="leaves most layers float: got fp16"):
        quantize(tiny_bundle, audio=voices, recipe=Recipe(scheme="fp16"), output=tmp_path / "out.voxtoon")


def test_a_folder_is_not_changed_in_place(tiny_bundle, voices, tmp_path):
    with pytest.raises(InputError, match="folder is not changed in place"):
        quantize(tmp_path, audio=voices, recipe=RECIPE)


@contextmanager
def room_for(size_bytes):
    """No file can grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_bundle_as_it_was(tiny_bundle, voices, tmp_path):
    place = tmp_path / "small.voxtoon"
    place.write_bytes(tiny_bundle.read_bytes())

    with (
        room_for(len(tiny_bundle.read_bytes())),  # with int8 artefacts it is larger
        pytest.raises(InputError, match=r"the bundle cannot be written: got .*too large"),
    ):
        quantize(place, audio=voices, recipe=RECIPE, allow=True)
    assert list(tmp_path.iterdir()) == [place]
    assert place.read_bytes() == tiny_bundle.read_bytes()


def test_silence_is_nothing_to_calibrate_on(tiny_bundle, voices, tmp_path):
    folder = tmp_path / "silent"
    folder.mkdir()
    for path in voices.iterdir():
        soundfile.write(folder / path.name, np.zeros(16_000), 16_000)

    with pytest.raises(InputError, match=r"no usable recording among the \d+ .*silent"):
        quantize(tiny_bundle, audio=folder, recipe=RECIPE, output=tmp_path / "out.voxtoon")
    assert not (tmp_path / "out.voxtoon").exists()


def test_the_command_prints_the_table_and_refuses(tiny_bundle, voices, tmp_path, capsys):
    from voxtoon.cli import main

    words = ["quantize", str(tiny_bundle), "--calibrate", str(voices), "-o", str(tmp_path / "out.voxtoon")]
    words += ["--clips", "4", "--judged", "4"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "times smaller than fp32" in printed.out
    assert "MISSED" in printed.out
    assert "refused as int8" in printed.err

    assert main([*words, "--allow", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["good"] is False
    assert {part["precision"] for part in report["formats"][0]["parts"]} <= {"int8", "int8-unverified"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to calibrate on: expected --calibrate DIR"),
        (["--calibrate", "nowhere"], "no calibration audio: got no folder nowhere"),
        (["--calibrate", ".", "--recipe", "int8"], "unknown scheme: got 'int8'"),
        (["--calibrate", ".", "--recipe", "missing.json"], "the recipe cannot be read"),
        (["--calibrate", ".", "--layer", "encoder.fc1"], "--layer: got 'encoder.fc1'"),
        (["--calibrate", ".", "--target", "amd"], "unknown target: got 'amd'"),
        (["--calibrate", ".", "--to", "litter"], "did you mean litert?"),
        (["--calibrate", ".", "--draw", "a.svg"], "--draw: got a.svg, expected --sensitivity with it"),
        (["--calibrate", ".", "--sensitivity", "--draw", "a.png"], "a name that ends in .svg"),
        (["--calibrate", ".", "--sensitivity", "--to", "onnx", "litert"], "expected one format"),
        (["--calibrate", ".", "--max-bytes", "-1"], "goal max_bytes: got -1, expected 0 or more"),
        (["--calibrate", ".", "--layer", "encoder.cnov1=fp16"], "did you mean conv1"),
        (["--calibrate", ".", "--layer", "enkoder.conv1=fp16"], "did you mean encoder"),
        (["--calibrate", ".", "--recipe", '{"shceme": "fp16"}'], "did you mean scheme"),
    ],
)
def test_wrong_use_is_told_in_one_line(tiny_bundle, tmp_path, capsys, words, message):
    from voxtoon.cli import main

    assert main(["quantize", str(tiny_bundle), "-o", str(tmp_path / "o.voxtoon"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_quality_cannot_be_judged_without_speakers_kept_apart(tiny_bundle, voices, tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "index.csv").write_text("clip,speaker\nvoice00,someone\n")
    (folder / "voice00.wav").write_bytes((voices / "voice00.wav").read_bytes())

    with pytest.raises((InputError, CheckError), match="kept for something else"):
        quantize(tiny_bundle, audio=folder, recipe=RECIPE, output=tmp_path / "out.voxtoon")


def test_sensitivity_tells_every_layer_the_worst_first_and_writes_nothing(tiny_bundle, voices, capsys):
    from voxtoon.cli import main

    before = tiny_bundle.read_bytes()
    words = ["quantize", str(tiny_bundle), "--calibrate", str(voices), "--sensitivity", "--json"]
    assert main([*words, "--clips", "2", "--judged", "2", "--layer", "decoder.texture_*=fp32"]) == 0

    effects = json.loads(capsys.readouterr().out)
    assert {effect["part"] for effect in effects} == {"encoder", "decoder"}
    assert not any(effect["layer"].startswith("texture_") for effect in effects)
    ratios = [effect["quality"]["psnr_db"] for effect in effects]
    assert ratios == sorted(ratios)
    of_decoder = [effect for effect in effects if effect["part"] == "decoder"]
    assert all(effect["quality"]["angle_mean_deg"] < 0.05 for effect in of_decoder)
    assert all(effect["saved_bytes"] > 0 for effect in effects if effect["layer"] == "fc1")
    assert tiny_bundle.read_bytes() == before
