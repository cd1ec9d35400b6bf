"""A bundle is what its manifest says, or it is not opened; folder and zip are the same thing."""

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import write_attacks
from attack import Attack
from valid_bundle import FILES, manifest, write_folder, write_zip
from write_attacks import ATTACKS

import voxtoon
from voxtoon import CheckError, InputError, open_bundle

ERRORS = {"check": CheckError, "input": InputError}


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path):
    """The same valid bundle, both ways."""
    path = tmp_path / "bundle"
    {"folder": write_folder, "zip": write_zip}[request.param](path, manifest())
    return path


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_attack_meets_what_is_expected_of_a_reader(attack: Attack, tmp_path):
    path = attack.write(tmp_path / "attack")
    if attack.expected == "good":
        with open_bundle(path) as bundle:
            bundle.verify_all()
        return
    with pytest.raises(ERRORS[attack.expected]) as caught, open_bundle(path) as bundle:
        bundle.verify_all()
    message = str(caught.value)
    assert attack.says in message
    assert message.isprintable()
    assert len(message) < 600
    assert type(caught.value) is ERRORS[attack.expected]


def test_attacks_have_names_of_their_own():
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names)


def test_the_attacks_are_written_for_readers_in_other_languages(tmp_path):
    script = Path(write_attacks.__file__)
    subprocess.run([sys.executable, script, tmp_path], check=True)
    assert {folder.name for folder in tmp_path.iterdir()} == {attack.name for attack in ATTACKS}
    for folder in tmp_path.iterdir():
        (line,) = (folder / "expected.txt").read_text().splitlines()
        assert line.partition(":")[0] in {"good", "check", "input"}


def test_every_file_reads_as_it_was_written(place):
    with open_bundle(place) as bundle:
        assert {name: bundle.read(name) for name in bundle.manifest.files} == FILES


def test_folder_and_zip_have_equal_manifests(tmp_path):
    write_folder(tmp_path / "folder", manifest())
    write_zip(tmp_path / "zip", manifest())
    with open_bundle(tmp_path / "folder") as folder, open_bundle(tmp_path / "zip") as archive:
        assert folder.manifest == archive.manifest
        assert folder.manifest.to_json() == manifest()


def test_a_damaged_file_does_not_keep_others_from_being_read(tmp_path):
    write_folder(tmp_path / "b", manifest(), {**FILES, "model_card.md": b"another card of whatever length"})
    with open_bundle(tmp_path / "b") as bundle:
        assert bundle.read("encoder.fp32.onnx") == FILES["encoder.fp32.onnx"]
        with pytest.raises(CheckError, match="model_card"):
            bundle.read("model_card.md")


def test_a_file_is_checked_each_time_it_is_read(tmp_path):
    write_folder(tmp_path / "b", manifest())
    with open_bundle(tmp_path / "b") as bundle:
        bundle.read("model_card.md")
        (tmp_path / "b" / "model_card.md").write_bytes(FILES["model_card.md"].upper())
        with pytest.raises(CheckError, match="has changed"):
            bundle.read("model_card.md")


def test_reading_one_file_of_a_zip_leaves_the_others_on_disk(tmp_path):
    files = {**FILES, "large.bin": bytes(20_000_000)}
    write_zip(tmp_path / "b", manifest(files), files)
    del files
    tracemalloc.start()
    with open_bundle(tmp_path / "b") as bundle:
        bundle.read("encoder.fp32.onnx")
        bundle.verify_all()
        _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8_000_000


@pytest.mark.parametrize("name", ["encoder", "manifest.json", "../bundle/model_card.md", ""])
def test_what_the_manifest_does_not_list_is_not_read(place, name):
    with open_bundle(place) as bundle, pytest.raises(InputError, match="lists no such file"):
        bundle.read(name)


def test_a_closed_bundle_says_so_and_closes_again(place):
    bundle = open_bundle(str(place))
    bundle.close()
    bundle.close()
    with pytest.raises(InputError, match="closed"):
        bundle.read("model_card.md")


def test_nothing_there_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such bundle"):
        open_bundle(tmp_path / "nothing.voxtoon")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_bad_input(place):
    (place / "manifest.json" if place.is_dir() else place).chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        open_bundle(place)


def test_an_installation_without_a_model_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("voxtoon.bundle.DEFAULT_BUNDLE", tmp_path / "default.voxtoon")
    with pytest.raises(InputError, match=r"no default bundle.*name a bundle"):
        open_bundle()


def test_the_default_bundle_is_what_opens_without_a_name(place, monkeypatch):
    monkeypatch.setattr("voxtoon.bundle.DEFAULT_BUNDLE", place)
    with open_bundle() as bundle:
        assert bundle.path == place


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_the_bundle_itself_may_be_reached_by_a_link(place, tmp_path):
    (tmp_path / "link").symlink_to(place)
    with open_bundle(tmp_path / "link") as bundle:
        bundle.verify_all()


def test_importing_voxtoon_loads_no_engine_and_no_numpy():
    code = "import voxtoon, sys; print(*{'numpy', 'onnxruntime', 'zipfile'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.split() == []
    assert {"open_bundle", "InputError", "CheckError"} <= set(voxtoon.__all__)
