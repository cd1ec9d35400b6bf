"""Opening a bundle and reading its files, each checked against the manifest."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from voxtoon.bundle_files import MANIFEST_NAME, BundleFiles, open_files
from voxtoon.errors import CheckError, InputError
from voxtoon.manifest import MAXIMUM_MANIFEST_BYTES, FileEntry, Manifest

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon.pipeline import Pipeline
    from voxtoon.streaming_encoder import StreamedSession

ENCODER = "encoder"
DEFAULT_BUNDLE = Path(__file__).parent / "data" / "default.voxtoon"

_CHUNK_BYTES = 1024 * 1024
_HINT = "the bundle is damaged: export or download it again"


def open_bundle(path: str | os.PathLike[str] | None = None) -> Bundle:
    """Open a bundle and read its manifest. Other files are read when they are asked for.

    Parameters
    ----------
    path
        A folder or a ``*.voxtoon`` file; None opens the model that comes with the package.

    Raises
    ------
    InputError
        When there is no bundle at ``path``, or its version is unknown.
    CheckError
        When the bundle is damaged.
    """
    place = DEFAULT_BUNDLE if path is None else Path(path)
    if path is None and not place.exists():
        raise InputError(
            "this installation has no default bundle",
            got=f"no {place.name}",
            hint="name a bundle, or make one with `voxtoon export`",
        )
    files = open_files(place)
    try:
        return Bundle(files, _read_manifest(files, place), place)
    except BaseException:
        files.close()
        raise


class Bundle:
    """An open bundle.

    Attributes
    ----------
    manifest, path
        What it holds, and where it is.
    """

    def __init__(self, files: BundleFiles, manifest: Manifest, path: Path) -> None:
        self.manifest = manifest
        self.path = path
        self._files: BundleFiles | None = files
        self._sessions: dict[tuple[str, str, str, int | None], Session] = {}

    def read(self, name: str) -> bytes:
        """Return a file of the bundle, its size and hash checked.

        Raises
        ------
        InputError
            When the manifest lists no such file, or the bundle is closed.
        CheckError
            When the file is missing, or is not what the manifest says.
        """
        entry = self._entry(name)
        with self._open(name, entry) as file:
            content = file.read(entry.bytes + 1)
        _check_equal(f"{name} has changed: its sha256", hashlib.sha256(content).hexdigest(), entry.sha256)
        return content

    def read_folder(self, name: str) -> dict[str, bytes]:
        """Return the files of a folder of the bundle by their paths in it; raises as `read` does."""
        folder = f"{name}/"
        files = {listed.removeprefix(folder): listed for listed in self.manifest.files_in(name)}
        if not files:
            raise InputError("the bundle lists no such folder", got=repr(name))
        return {path: self.read(listed) for path, listed in files.items()}

    def verify_all(self) -> None:
        """Check size and hash of every file, a megabyte at a time.

        Raises
        ------
        CheckError
            At the first file that is missing or is not what the manifest says.
        """
        for name, entry in self.manifest.files.items():
            digest = hashlib.sha256()
            with self._open(name, entry) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
            _check_equal(f"{name} has changed: its sha256", digest.hexdigest(), entry.sha256)

    def session(
        self, part: str, *, engine: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Session:
        """Return a part ready to run; asking again with the same arguments gives the same session.

        An encoder without artefacts of its own is run as its step and head, where the bundle has these.

        Parameters
        ----------
        part
            Its name in the manifest.
        engine, precision
            ``auto`` chooses among what is installed and what the bundle holds.
        threads
            How many the engine may use; None leaves it to the engine.

        Raises
        ------
        InputError
            When the bundle holds no such part, or not for that engine and precision.
        CheckError
            When the artefact is damaged.
        """
        from voxtoon.engines import load_session

        if part == ENCODER and not self.manifest.artefacts_of(part) and self.manifest.streaming is not None:
            return self.streamed_encoder(engine=engine, precision=precision, threads=threads)
        key = (part, engine, precision, threads)
        if key not in self._sessions:
            self._sessions[key] = load_session(
                self, part, engine=engine, precision=precision, threads=threads
            )
        return self._sessions[key]

    def streamed_encoder(
        self, *, engine: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> StreamedSession:
        """Return the encoder as step and head; `StreamedSession.stream` begins a stream of its own.

        Parameters and errors are those of `session`; InputError too where the bundle has no such parts.
        """
        from voxtoon.streaming_encoder import StreamedSession, StreamingSpec

        streaming, spec = self.manifest.streaming, StreamingSpec.from_manifest(self.manifest)
        if streaming is None or spec is None:
            raise InputError(
                "the bundle has no streaming encoder", hint="export it again with this version of voxtoon"
            )
        step, head = (
            self.session(part, engine=engine, precision=precision, threads=threads)
            for part in (streaming.step, streaming.head)
        )
        return StreamedSession(step, head, spec)

    def pipeline(
        self, *, engine: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Pipeline:
        """Return the way from samples to a face; the arguments are those of `session`."""
        from voxtoon.pipeline import Pipeline

        return Pipeline(self, engine=engine, precision=precision, threads=threads)

    def close(self) -> None:
        """Let go of the file and the sessions. Closing twice is fine."""
        if self._files is not None:
            self._files.close()
        self._files = None
        self._sessions.clear()

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _entry(self, name: str) -> FileEntry:
        entry = self.manifest.files.get(name)
        if entry is None:
            raise InputError(
                "the bundle lists no such file", got=repr(name), expected=", ".join(self.manifest.files)
            )
        return entry

    def _open(self, name: str, entry: FileEntry) -> AbstractContextManager[IO[bytes]]:
        if self._files is None:
            raise InputError("the bundle is closed", got=str(self.path), hint="open it again")
        size = self._files.size(name)
        if size is None:
            raise CheckError(f"{name} is missing from the bundle", got=str(self.path), hint=_HINT)
        # Before the first byte is read: a file of another size may be one of any size.
        _check_equal(f"{name} has another size", size, entry.bytes)
        return self._files.open(name)


def _read_manifest(files: BundleFiles, path: Path) -> Manifest:
    size = files.size(MANIFEST_NAME)
    if size is None:
        raise InputError(
            "not a bundle", got=f"{path} without {MANIFEST_NAME}", expected="a folder or file with one"
        )
    if size > MAXIMUM_MANIFEST_BYTES:
        limit = f"at most {MAXIMUM_MANIFEST_BYTES}"
        raise CheckError(f"{MANIFEST_NAME} is too large", got=f"{size} bytes", expected=limit, hint=_HINT)
    with files.open(MANIFEST_NAME) as file:
        return Manifest.from_bytes(file.read(MAXIMUM_MANIFEST_BYTES))


def _check_equal(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise CheckError(what, got=got, expected=expected, hint=_HINT)
