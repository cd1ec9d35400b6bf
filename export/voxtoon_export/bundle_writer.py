"""Writing a bundle: whole and checked by its reader, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from voxtoon.bundle import open_bundle
from voxtoon.bundle_files import MANIFEST_NAME, check_name
from voxtoon.errors import InputError
from voxtoon.manifest import FileEntry, Manifest

ZIP_SUFFIX = ".voxtoon"

_Create = Callable[[str, int], IO[bytes]]
"""Takes the name and the size of a file of the bundle; gives what its bytes are written to."""

_CHUNK_BYTES = 1024 * 1024
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say: the same bundle is the same bytes


def write_bundle(
    output: str | os.PathLike[str], *, manifest_without_files: Manifest, files: Mapping[str, bytes | Path]
) -> Path:
    """Write a bundle, open it with the reader, check every file, and only then give it its name.

    Parameters
    ----------
    output
        A name that ends with ``.voxtoon`` becomes an uncompressed zip, in the place of one already there;
        any other a folder, which must not be there yet or be empty.
    manifest_without_files
        The manifest; its ``files`` are empty and are filled in here.
    files
        Every file of the bundle but the manifest: its path inside, and its bytes or where they are.

    Returns
    -------
    Path
        Of the bundle.

    Raises
    ------
    InputError
        When ``output`` is taken or cannot be written, or a file to put in cannot be read.
    CheckError
        When a name leads outside, or the reader refuses what was written. Nothing is left behind then.
    """
    place = Path(output)
    in_zip = place.suffix == ZIP_SUFFIX
    _check_place(place, in_zip=in_zip)
    for name in files:
        check_name(name)
    if manifest_without_files.files:
        raise InputError(
            "the files of a manifest to write are counted here", got=len(manifest_without_files.files)
        )
    try:
        # Beside the output, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as folder:
            written = Path(folder) / "bundle"
            with _archive(written) if in_zip else _folder(written) as create:
                _write(create, manifest_without_files, files)
            with open_bundle(written) as bundle:
                bundle.verify_all()
            written.replace(place)
    except (OSError, zipfile.LargeZipFile) as error:
        hint = "write a folder instead" if isinstance(error, zipfile.LargeZipFile) else None
        raise InputError("the bundle cannot be written", got=error, hint=hint) from error
    return place


def _check_place(place: Path, *, in_zip: bool) -> None:
    if not place.parent.is_dir():
        raise InputError("no folder to write the bundle to", got=str(place.parent), hint="make it first")
    if in_zip and place.is_dir():
        raise InputError("a folder is in the place of the bundle", got=str(place), hint="remove it first")
    if not in_zip and place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise InputError("something is in the place of the bundle", got=str(place), hint="remove it first")


def _write(create: _Create, manifest: Manifest, files: Mapping[str, bytes | Path]) -> None:
    entries = {name: _copy(files[name], create, name) for name in sorted(files)}
    _copy(replace(manifest, files=entries).to_bytes(), create, MANIFEST_NAME)


def _copy(source: bytes | Path, create: _Create, name: str) -> FileEntry:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    digest, copied = hashlib.sha256(), 0
    reading = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with reading, create(name, size) as sink:
        while chunk := reading.read(_CHUNK_BYTES):
            digest.update(chunk)
            copied += sink.write(chunk)
    return FileEntry(bytes=copied, sha256=digest.hexdigest())


@contextmanager
def _folder(root: Path) -> Iterator[_Create]:
    def create(name: str, size: int) -> IO[bytes]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    root.mkdir()
    yield create


@contextmanager
def _archive(path: Path) -> Iterator[_Create]:
    def create(name: str, size: int) -> IO[bytes]:
        info = zipfile.ZipInfo(name, _ZIP_DATE)
        info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        info.file_size = size
        return archive.open(info, "w")

    with zipfile.ZipFile(path, "x", allowZip64=False) as archive:
        yield create
