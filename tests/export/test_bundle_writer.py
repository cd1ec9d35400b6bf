"""A bundle is written whole and checked by its reader, or nothing is left."""

import dataclasses
import subprocess
import zipfile

import pytest
import valid_bundle
from hypothesis import given
from hypothesis import strategies as st
from valid_bundle import FILES

from voxtoon import CheckError, InputError, open_bundle
from voxtoon.manifest import Manifest
from voxtoon_export.bundle_writer import write_bundle

MANIFEST = dataclasses.replace(Manifest.from_json(valid_bundle.manifest()), files={})
NAMES = pytest.mark.parametrize("name", ["caller.voxtoon", "caller"])


def write(place, files=FILES, manifest=MANIFEST):
    return write_bundle(place, manifest_without_files=manifest, files=files)


def content(path):
    """All that a bundle is on disk, for comparing."""
    if path.is_file():
        return path.read_bytes()
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@NAMES
def test_what_is_written_is_what_is_read(tmp_path, name):
    path = write(tmp_path / name)
    assert path == tmp_path / name
    with open_bundle(path) as bundle:
        bundle.verify_all()
        assert {file: bundle.read(file) for file in FILES} == FILES
        assert bundle.manifest.to_json() == valid_bundle.manifest()


def test_the_name_decides_between_folder_and_zip(tmp_path):
    assert write(tmp_path / "caller").is_dir()
    assert zipfile.is_zipfile(write(tmp_path / "caller.voxtoon"))


def test_unpacking_the_zip_gives_the_folder(tmp_path):
    with zipfile.ZipFile(write(tmp_path / "caller.voxtoon")) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert content(tmp_path / "unpacked") == content(write(tmp_path / "caller"))


def test_the_zip_is_not_compressed(tmp_path):
    with zipfile.ZipFile(write(tmp_path / "caller.voxtoon")) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@NAMES
def test_the_same_bundle_is_the_same_bytes_whatever_the_order_of_its_files(tmp_path, name):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    backwards = dict(reversed(FILES.items()))
    assert content(write(tmp_path / "a" / name)) == content(write(tmp_path / "b" / name, backwards))


@NAMES
def test_files_on_disk_and_bytes_in_memory_are_the_same_to_the_writer(tmp_path, name):
    on_disk = {file: tmp_path / file.replace("/", "-") for file in FILES}
    for file, path in on_disk.items():
        path.write_bytes(FILES[file])
    with open_bundle(write(tmp_path / name, on_disk)) as bundle:
        assert {file: bundle.read(file) for file in FILES} == FILES


@given(
    files=st.dictionaries(
        st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8})?\.bin", fullmatch=True), st.binary(max_size=2000)
    )
)
def test_any_plain_names_and_any_bytes_go_into_both_and_come_back(tmp_path_factory, files):
    files = {**FILES, **files}
    folder = tmp_path_factory.mktemp("any")
    for name in ("caller.voxtoon", "caller"):
        with open_bundle(write(folder / name, files)) as bundle:
            assert {file: bundle.read(file) for file in bundle.manifest.files} == files


def test_a_bundle_file_takes_the_place_of_an_older_one(tmp_path):
    write(tmp_path / "caller.voxtoon", {**FILES, "model_card.md": b"older"})
    with open_bundle(write(tmp_path / "caller.voxtoon")) as bundle:
        assert bundle.read("model_card.md") == FILES["model_card.md"]


def test_an_empty_folder_is_a_place_for_a_bundle(tmp_path):
    (tmp_path / "caller").mkdir()
    with open_bundle(write(tmp_path / "caller")) as bundle:
        bundle.verify_all()


LACKING_CARD = {name: bytes_ for name, bytes_ in FILES.items() if name != "model_card.md"}
FAILURES = {
    "a file the manifest needs is not given": (CheckError, {"files": LACKING_CARD}),
    "a name that leads outside": (CheckError, {"files": {**FILES, "../evil": b"x"}}),
    "a name that is the manifest's": (CheckError, {"files": {**FILES, "MANIFEST.JSON": b"x"}}),
    "two cases of one name": (CheckError, {"files": {**FILES, "MODEL_CARD.MD": b"x"}}),
    "a number that is not finite": (
        CheckError,
        {
            "manifest": dataclasses.replace(
                MANIFEST,
                avatar_statistics=None,
                domain=dataclasses.replace(MANIFEST.domain, mean=(float("nan"), 0.0)),
            )
        },
    ),
    "a part that is missing": (
        CheckError,
        {"manifest": dataclasses.replace(MANIFEST, parts=MANIFEST.parts[:2])},
    ),
    "files in the manifest": (InputError, {"manifest": Manifest.from_json(valid_bundle.manifest())}),
}


@NAMES
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_leaves_nothing_behind(tmp_path, name, failure):
    error, arguments = FAILURES[failure]
    with pytest.raises(error):
        write(tmp_path / name, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_older_bundle_as_it_was(tmp_path):
    path = write(tmp_path / "caller.voxtoon")
    before = path.read_bytes()
    with pytest.raises(CheckError):
        write(path, LACKING_CARD)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before


@NAMES
def test_a_source_that_is_not_there_is_bad_input(tmp_path, name):
    with pytest.raises(InputError, match=r"cannot be written.*nothing\.onnx"):
        write(tmp_path / name, {**FILES, "encoder.fp32.onnx": tmp_path / "nothing.onnx"})
    assert list(tmp_path.iterdir()) == []


@NAMES
def test_a_folder_that_is_not_there_is_bad_input(tmp_path, name):
    with pytest.raises(InputError, match="no folder"):
        write(tmp_path / "nowhere" / name)


def test_a_place_that_is_taken_is_bad_input_and_stays_as_it_is(tmp_path):
    (tmp_path / "caller").write_bytes(b"mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    (tmp_path / "folder.voxtoon").mkdir()
    for name in ("caller", "folder", "folder.voxtoon"):
        with pytest.raises(InputError, match="in the place of the bundle"):
            write(tmp_path / name)
    assert (tmp_path / "caller").read_bytes() == b"mine"
    assert (tmp_path / "folder" / "mine").exists()


def test_another_zip_program_finds_nothing_wrong(tmp_path):
    unzip = "unzip"
    try:
        found = subprocess.run([unzip, "-tq", write(tmp_path / "caller.voxtoon")], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no unzip here")
    assert found.returncode == 0, found.stdout
