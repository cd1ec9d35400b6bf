"""What was found best for a part on a device: written beside a bundle by ``voxtoon bench --tune``.

The file is a help and no part of the bundle: where it is of another bundle, another device, or unreadable,
or names what is not installed any more, the runtime chooses as it does without one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from voxtoon.errors import VoxtoonError
from voxtoon.manifest_decode import decode
from voxtoon.manifest_json import encode, format_json, parse_json

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.manifest import Manifest

FORMAT: Final = "voxtoon-tuning"
_MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Choice:
    """How one part is run best, and its median when that was found."""

    engine: str
    precision: str
    threads: int
    p50_s: float
    bytes: int


@dataclass(frozen=True)
class Tuning:
    """Choices by device and part, for the bundle whose manifest has this hash."""

    manifest_sha256: str
    devices: Mapping[str, Mapping[str, Choice]]
    format: str = FORMAT

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return format_json(encode(self)).encode("utf-8")


def tuning_path(bundle: Path) -> Path:
    """Return where the choices for a bundle are."""
    return bundle.with_name(f"{bundle.name}.tuning.json")


def manifest_hash(manifest: Manifest) -> str:
    """Return what tells bundles apart: the manifest holds the hashes of everything else."""
    return hashlib.sha256(manifest.to_bytes()).hexdigest()


def read_tuning(bundle: Path, manifest: Manifest) -> Tuning | None:
    """Return the choices for a bundle, None where there are none that can be used."""
    path = tuning_path(bundle)
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        value: Any = parse_json(path.read_bytes(), path.name)
        tuning = decode(Tuning, value, path.name)
    except (OSError, VoxtoonError, json.JSONDecodeError):
        return None
    return tuning if (tuning.format, tuning.manifest_sha256) == (FORMAT, manifest_hash(manifest)) else None


def tuned_choice(bundle: Bundle, part: str) -> Choice | None:
    """Return how a part is best run on this device, None where nobody has found out."""
    if not tuning_path(bundle.path).is_file():
        return None
    tuning = read_tuning(bundle.path, bundle.manifest)
    if tuning is None:
        return None
    from voxtoon.bench.device import describe_device, device_key

    choice = tuning.devices.get(device_key(describe_device()), {}).get(part)
    return choice if choice is not None and _can_be_run(bundle.manifest, part, choice) else None


def _can_be_run(manifest: Manifest, part: str, choice: Choice) -> bool:
    from voxtoon.engines import ENGINES

    spec = ENGINES.get(choice.engine)
    if spec is None or not spec.is_available():
        return False
    artefacts = manifest.artefacts_of(part)
    return any(artefact.precision == choice.precision and spec.runs(artefact) for artefact in artefacts)
