"""What an attack on a reader of bundles is, and the ways to write one."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from valid_bundle import FILES, manifest, write_folder, write_zip

ENCODER = "encoder.fp32.onnx"


@dataclass(frozen=True)
class Attack:
    """``make(place)`` writes the bundle at ``place`` or with a suffix; ``says`` is part of the message."""

    name: str
    expected: str
    says: str
    make: Callable[[Path], None]

    def write(self, folder: Path) -> Path:
        """Write bundle and expectation into ``folder`` and return the path of the bundle."""
        folder.mkdir(parents=True)
        line = self.expected if self.expected == "good" else f"{self.expected}: {self.name.replace('_', ' ')}"
        (folder / "expected.txt").write_text(line + "\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # zipfile's, on writing one name twice
            self.make(folder / "bundle")
        return next(path for path in sorted(folder.iterdir()) if path.name.startswith("bundle"))


def as_folder(change=lambda found: found, files=FILES):
    """A folder whose manifest went through ``change``, which returns JSON values or bytes."""
    return lambda place: write_folder(place, change(manifest()), files)


def as_zip(change=lambda found: found, files=FILES, *, extra=(), patch=lambda content: content):
    """A zip whose manifest went through ``change`` and whose bytes went through ``patch``."""

    def make(place):
        place = place.with_suffix(".voxtoon")
        write_zip(place, change(manifest()), files, extra=extra)
        place.write_bytes(patch(place.read_bytes()))

    return make


def put(*keys_and_value):
    """A change that sets one value, deep inside the manifest."""
    *keys, last, value = keys_and_value

    def change(found):
        inner = found
        for key in keys:
            inner = inner[key]
        inner[last] = value
        return found

    return change


def without(*keys):
    """A change that removes one field, deep inside the manifest."""
    *keys, last = keys

    def change(found):
        inner = found
        for key in keys:
            inner = inner[key]
        del inner[last]
        return found

    return change


def changed(name=ENCODER):
    """One bit of a file flipped."""
    content = FILES[name]
    return {**FILES, name: bytes([content[0] ^ 1]) + content[1:]}


def lacking(name=ENCODER):
    """All files but one."""
    return {other: content for other, content in FILES.items() if other != name}
