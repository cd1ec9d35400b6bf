"""What is carried to a device: this very runtime and a bundle, as one tar file."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import voxtoon

BUNDLE: Final = "bundle.voxtoon"
"""Name of the bundle where the cargo is unpacked."""

KEPT: Final = "lines.jsonl"
"""Name of the device's own copy of what it told, beside a cargo that was pushed; `bootstrap` writes it."""

_CARRIED: Final = (".py", ".json")
_PACKAGE: Final = Path(voxtoon.__file__).parent


@contextmanager
def packed(bundle: Path) -> Iterator[IO[bytes]]:
    """Pack the modules of the runtime and a bundle, folder or file; gives the open tar file at its start."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(_PACKAGE.rglob("*")):
                if path.suffix in _CARRIED and path.is_file():
                    tar.add(path, f"voxtoon/{path.relative_to(_PACKAGE).as_posix()}", filter=_anonymous)
            tar.add(bundle, BUNDLE, filter=_anonymous)
        file.flush()
        file.seek(0)
        yield file


def bootstrap() -> str:
    """Return the program that unpacks it."""
    return Path(__file__).with_name("bootstrap.py").read_text(encoding="utf-8")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's file: the device has users of its own."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
