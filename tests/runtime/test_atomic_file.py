"""Files that are whole or not there."""

import os
from pathlib import Path

import pytest

from voxtoon import InputError
from voxtoon.atomic_file import write_atomically


def test_files_are_replaced_whole(tmp_path):
    old = tmp_path / "old"
    old.write_bytes(b"before")
    write_atomically({old: b"after", tmp_path / "new": b"first"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"after", "new": b"first"}


def test_when_one_file_cannot_be_written_none_is(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "nowhere" / "bad"
    with pytest.raises(InputError, match=r"cannot write .*nowhere/bad: got No such file or directory"):
        write_atomically({good: b"1", bad: b"2"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_overwritten(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="got a folder, expected the name of a file"):
        write_atomically({tmp_path / "first": b"", tmp_path / "folder": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_new_file_has_the_rights_that_the_user_gives_to_new_files(tmp_path):
    mask = os.umask(0o022)
    try:
        write_atomically({tmp_path / "file": b""})
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_nothing():
    with pytest.raises(InputError, match="cannot write"):
        write_atomically({Path("/dev/full/x"): b"1"})
