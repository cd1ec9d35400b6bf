"""Taking the float parts out of a bundle, and putting the quantized ones in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from voxtoon import manifest
from voxtoon.bundle import Bundle
from voxtoon.errors import InputError
from voxtoon_export.bundle_writer import ZIP_SUFFIX, write_bundle

from .part import FloatPart
from .recipe import Recipe
from .report import INT8, UNVERIFIED, PartReport


def float_parts(described: manifest.Manifest, read: Callable[[str], bytes]) -> dict[str, FloatPart]:
    """Return the parts of a bundle that can be quantized: all that run on the device but the speech detector.

    Raises
    ------
    InputError
        One of them has no float32 artefact in ONNX.
    """
    activity = described.voice_activity
    found = {}
    for part in described.parts:
        if part.role != "runtime" or (activity is not None and activity.part == part.name):
            continue
        held = {(item.format, item.precision): item.file for item in described.artefacts_of(part.name)}
        if ("onnx", "fp32") not in held:
            there = ", ".join(" ".join(key) for key in held) or "none"
            raise InputError(
                f"{part.name} cannot be quantized",
                got=there,
                expected="an artefact of onnx fp32",
                hint="export the bundle again with --precision fp32",
            )
        found[part.name] = FloatPart(part.name, read(held["onnx", "fp32"]))
    return found


def write_with(
    bundle: Bundle,
    place: Path,
    recipe: Recipe,
    reports: Sequence[PartReport],
    made: Mapping[str, bytes],
    parities: Mapping[str, manifest.Parity],
) -> None:
    """Write the bundle with new artefacts: whole, or not at all; those of int8 that it had give way."""
    described = bundle.manifest
    ours = [("onnx", report.name, precision) for report in reports for precision in (INT8, UNVERIFIED)]
    replaced = [item for item in described.artefacts if (item.format, item.part, item.precision) in ours]
    floats = {item.part: item for item in described.artefacts if item.precision == "fp32"}
    new = [
        manifest.Artefact(
            report.name,
            "onnx",
            report.precision,
            f"{report.name}.{report.precision}.onnx",
            floats[report.name].minimum_runtime,
            recipe=recipe.to_text(),
            parity=parities[report.name],
            quality={name: round(value, 6) for name, value in report.figures.items()},
        )
        for report in reports
    ]
    gone = {item.file for item in replaced}
    files: dict[str, bytes | Path] = {name: bundle.read(name) for name in described.files if name not in gone}
    files |= {item.file: made[item.part] for item in new}
    kept = tuple(item for item in described.artefacts if item not in replaced)
    write_bundle(
        place, manifest_without_files=replace(described, artefacts=(*kept, *new), files={}), files=files
    )


def place_of(path: Path, output: Path | None) -> Path:
    """Return where the new bundle goes; InputError where the old one cannot give way in one step."""
    if output is None and path.suffix != ZIP_SUFFIX:
        raise InputError(
            "a bundle that is a folder is not changed in place", got=path, hint="name an output with -o"
        )
    return path if output is None else output
