"""Where the files of a bundle are: a folder, or an uncompressed zip. Both are the same three methods.

Nothing here trusts what it opens: a bundle may come from anywhere.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from voxtoon.errors import CheckError, InputError

if TYPE_CHECKING:
    import zipfile

MANIFEST_NAME = "manifest.json"
FILE_NAME = r"(?=.{1,200}$)[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*"
"""What a path inside a bundle looks like: no drive, no backslash, no ``..``, nothing hidden."""

MAXIMUM_ZIP_ENTRIES = 1000
MAXIMUM_ZIP_DIRECTORY_BYTES = 1024 * 1024

_END_RECORD = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR_BYTES = 20
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1
_HINT = "the file is damaged or was not made by voxtoon: export or download it again"


class BundleFiles(Protocol):
    """The files of a bundle by name; a name is a path inside it, with ``/`` between folders."""

    def size(self, name: str) -> int | None:
        """Bytes of the file, None where there is none; raises CheckError where the name leads outside."""

    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file that is there for reading; damage found on the way is a CheckError."""

    def close(self) -> None:
        """Give back what is held open."""


def open_files(path: Path) -> BundleFiles:
    """Open a folder or a zip.

    Raises
    ------
    InputError
        When there is nothing at ``path``, or what is there is neither.
    CheckError
        When it is a zip with anything in it that a bundle must not have.
    """
    with _errors_as_ours(str(path)):
        if path.is_dir():
            return FolderFiles(path)
        if path.is_file():
            return ZipFiles(path)
    raise InputError("no such bundle", got=str(path), expected="a folder or a *.voxtoon file")


class FolderFiles:
    """A bundle in a folder."""

    def __init__(self, path: Path) -> None:
        self._root = path.resolve()

    def size(self, name: str) -> int | None:
        """Bytes of the file, None where there is none."""
        path = self._inside(name)
        return path.stat().st_size if path.is_file() else None  # a pipe would be waited for: not a file

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open the file for reading."""
        with _errors_as_ours(name), self._inside(name).open("rb") as file:
            yield file

    def close(self) -> None:
        """Nothing is held open."""

    def _inside(self, name: str) -> Path:
        check_name(name)
        try:
            path = (self._root / name).resolve()
        except (OSError, RuntimeError) as error:  # a loop of links: OSError or RuntimeError by Python version
            raise CheckError(f"{name} cannot be reached", got=str(error), hint=_HINT) from error
        if not path.is_relative_to(self._root):
            raise CheckError(f"{name} is a link that leads outside the bundle", got=str(path), hint=_HINT)
        return path


class ZipFiles:
    """A bundle in one file: a zip whose entries are stored as they are."""

    def __init__(self, path: Path) -> None:
        import zipfile

        with _errors_as_ours(path.name):
            entries, directory_offset = _check_end_record(path)
            self._zip = zipfile.ZipFile(path)
        try:
            infos = self._zip.infolist()
            if len(infos) != entries:
                raise CheckError(
                    f"{path.name} is a damaged zip", got=len(infos), expected=f"{entries} entries"
                )
            self._entries = _checked_entries(infos, directory_offset)
        except CheckError:
            self._zip.close()
            raise

    def size(self, name: str) -> int | None:
        """Bytes of the file, None where there is none."""
        check_name(name)
        return self._entries[name].file_size if name in self._entries else None

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open the file for reading."""
        with _errors_as_ours(name), self._zip.open(self._entries[name]) as file:
            yield file

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()


def check_name(name: str) -> None:
    """Raise CheckError unless ``name`` is a path that stays inside a bundle on every system."""
    if re.fullmatch(FILE_NAME, name) is None:
        raise CheckError(
            "path that may lead outside the bundle", got=ascii(name), expected="plain names between /"
        )


@contextmanager
def _errors_as_ours(name: str) -> Iterator[None]:
    import zipfile

    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, EOFError, struct.error) as error:
        raise CheckError(f"{name} is damaged", got=str(error), hint=_HINT) from error
    except OSError as error:
        raise InputError(f"{name} cannot be read", got=error.strerror or error) from error


def _check_end_record(path: Path) -> tuple[int, int]:
    """Check the zip's last record; return how many entries its directory has, and where it starts.

    The record is read by hand because it bounds what `zipfile` will read into memory.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise InputError("not a bundle", got=path.name, expected="a folder or an uncompressed zip")
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - _END_RECORD.size - _ZIP64_LOCATOR_BYTES))
        tail = file.read()
    locator, record = tail[: -_END_RECORD.size], tail[-_END_RECORD.size :]
    if len(record) < _END_RECORD.size or record[:4] != b"PK\x05\x06":
        raise CheckError(f"{path.name} is a damaged zip", got="no end record", hint=_HINT)
    _, disk, first_disk, entries_here, entries, size, offset, comment = _END_RECORD.unpack(record)
    if locator[:4] == b"PK\x06\x07" or disk or first_disk or comment or entries != entries_here:
        raise CheckError(
            f"{path.name} is a zip64, split or commented zip", expected="a plain zip", hint=_HINT
        )
    if entries > MAXIMUM_ZIP_ENTRIES or size > MAXIMUM_ZIP_DIRECTORY_BYTES:
        raise CheckError(
            f"{path.name} has too many files", got=entries, expected=f"at most {MAXIMUM_ZIP_ENTRIES}"
        )
    if offset + size + _END_RECORD.size != length:
        raise CheckError(f"{path.name} is a damaged zip", got="a directory that is elsewhere", hint=_HINT)
    return entries, offset


def _checked_entries(infos: list[zipfile.ZipInfo], directory_offset: int) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        name = info.orig_filename  # `filename` is cut at a NUL
        check_name(name.removesuffix("/"))
        _check_stored(info)
        if name.lower() in seen:
            raise CheckError("the zip holds one file twice", got=name, hint=_HINT)
        if info.header_offset < end:
            raise CheckError("the zip holds files that overlap", got=name, hint=_HINT)
        end = info.header_offset + _LOCAL_HEADER_BYTES + len(name) + info.file_size
        if end > directory_offset:
            raise CheckError("the zip holds a file longer than the zip", got=name, hint=_HINT)
        seen.add(name.lower())
        if not name.endswith("/"):
            entries[name] = info
    return entries


def _check_stored(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    wanted = stat.S_IFDIR if info.orig_filename.endswith("/") else stat.S_IFREG
    problem = None
    if info.compress_type != 0 or info.compress_size != info.file_size:
        problem = "compressed"
    elif info.flag_bits & _ENCRYPTED:
        problem = "encrypted"
    elif info.orig_filename.endswith("/") and info.file_size:
        problem = "a folder with content"
    elif kind not in (0, wanted):
        problem = "a link or a device"
    if problem:
        raise CheckError(
            f"{info.orig_filename} is {problem} in the zip", expected="a file stored as it is", hint=_HINT
        )
