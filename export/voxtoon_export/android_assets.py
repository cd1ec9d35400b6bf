"""A bundle as the assets of an Android application: what a phone reads, and nothing else."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voxtoon.bundle import open_bundle
from voxtoon.engines import PRECISIONS
from voxtoon.errors import InputError

from .bundle_writer import write_bundle

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.manifest import Artefact, Manifest

FOLDER: Final = "voxtoon"
"""Where `voxtoon.android` looks for the bundle among the assets."""

ABIS: Final = ("arm64-v8a", "armeabi-v7a", "x86_64", "x86")


@dataclass(frozen=True)
class Assets:
    """What was laid out.

    Attributes
    ----------
    folder
        The bundle, below the folder of assets that was asked for.
    sizes_bytes
        Of each file in it.
    engine_bytes
        Of the engine's native libraries, by ABI; empty where no AAR of it was given.
    """

    folder: Path
    sizes_bytes: Mapping[str, int]
    engine_bytes: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(self.sizes_bytes.values())


def lay_out(
    bundle_path: Path, assets: Path, *, file_format: str = "onnx", engine_aar: Path | None = None
) -> Assets:
    """Write the part of a bundle that a phone reads into a folder of assets.

    Left out are parts for evaluation, golden values, other formats than the engine's, and all precisions but
    the one that the runtime chooses by itself.

    Parameters
    ----------
    bundle_path
        The whole bundle.
    assets
        The application's ``src/main/assets``; made where it is missing. The bundle becomes its folder
        ``voxtoon``, which must not be there yet.
    file_format
        Of the artefacts: ``onnx`` or ``litert``.
    engine_aar
        The engine's AAR, to tell what its native libraries add for each ABI.

    Raises
    ------
    InputError
        When the bundle has a part that is not in this format, something is in the place of the assets, or the
        AAR is none.
    CheckError
        When the bundle is damaged.
    """
    engine_bytes = {} if engine_aar is None else library_bytes(engine_aar)
    with open_bundle(bundle_path) as bundle:
        manifest = _for_a_phone(bundle.manifest, file_format)
        files = _files(bundle, manifest)
        assets.mkdir(parents=True, exist_ok=True)
        folder = write_bundle(assets / FOLDER, manifest_without_files=manifest, files=files)
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Assets(folder, sizes, engine_bytes)


def library_bytes(aar: Path) -> dict[str, int]:
    """Bytes of the native libraries in an AAR, by ABI; raises InputError when it is none."""
    try:
        with zipfile.ZipFile(aar) as archive:
            libraries = [info for info in archive.infolist() if info.filename.startswith("jni/")]
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError("the engine's AAR cannot be read", got=str(aar), expected="an .aar file") from error
    sizes: dict[str, int] = {}
    for info in libraries:
        abi = info.filename.split("/")[1]
        sizes[abi] = sizes.get(abi, 0) + info.file_size
    return {abi: sizes[abi] for abi in ABIS if abi in sizes}


def _for_a_phone(manifest: Manifest, file_format: str) -> Manifest:
    parts = tuple(part for part in manifest.parts if part.role == "runtime")
    return replace(
        manifest,
        parts=parts,
        # An encoder that is there only as step and head has no artefact of its own.
        artefacts=tuple(
            chosen_artefact(manifest, part.name, file_format)
            for part in parts
            if manifest.artefacts_of(part.name)
        ),
        files={},
        golden={},
    )


def chosen_artefact(manifest: Manifest, part: str, file_format: str) -> Artefact:
    """Return the artefact that a phone's runtime takes: int8 where it is there, else fp32, else fp16.

    Raises
    ------
    InputError
        The part has none of this format.
    """
    own = {found.precision: found for found in manifest.artefacts_of(part) if found.format == file_format}
    for precision in PRECISIONS:
        if precision in own:
            return own[precision]
    held = ", ".join(f"{found.format} {found.precision}" for found in manifest.artefacts_of(part))
    raise InputError(
        f"the part {part} is not in the bundle for a phone",
        got=held or "none",
        expected=file_format,
        hint=f"export it with --to {file_format}",
    )


def _files(bundle: Bundle, manifest: Manifest) -> dict[str, bytes]:
    return {
        name: bundle.read(name)
        for name in (*(artefact.file for artefact in manifest.artefacts), manifest.model_card)
    }
