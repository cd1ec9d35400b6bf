"""Taking the float parts out of a bundle, and putting the quantized ones in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voxtoon import manifest
from voxtoon.bundle import ENCODER, Bundle
from voxtoon.engines import ENGINES
from voxtoon.errors import InputError
from voxtoon_export.bundle_writer import ZIP_SUFFIX, write_bundle
from voxtoon_export.lowering import format_named
from voxtoon_export.model_card import with_artefacts

from .formats import FloatPart, QuantizedFormat, quantized_format
from .recipe import Recipe
from .report import UNVERIFIED, PartReport

if TYPE_CHECKING:
    from voxtoon_export.lowering import Content


OF_MACHINE: Final = "faster"
"""A figure that is not kept: it is of one machine, and the same recordings must make the same bundle."""


@dataclass(frozen=True)
class Made:
    """A quantized artefact, what was measured of it, and the recipe that it was made by."""

    report: PartReport
    content: Content
    parity: manifest.Parity
    recipe: Recipe

    @property
    def file(self) -> str:
        """Its place in the bundle."""
        extension = format_named(self.report.format).extension
        return f"{self.report.name}.{self.report.precision}{extension}"

    @property
    def files(self) -> Mapping[str, bytes]:
        """Its content by file of the bundle."""
        if isinstance(self.content, bytes):
            return {self.file: self.content}
        return {f"{self.file}/{name}": content for name, content in self.content.items()}


def float_parts(bundle: Bundle, quantized: QuantizedFormat) -> dict[str, FloatPart]:
    """Return the parts of a bundle that can be quantized: what makes a face of frames.

    Not the speech detector, and no encoder that step and head stand for.

    Raises
    ------
    InputError
        One of them has no float32 artefact of the format.
    """
    others = _speech_parts(bundle.manifest)
    if _streaming_parts(bundle.manifest) and not bundle.manifest.artefacts_of(ENCODER):
        others.add(ENCODER)
    takes_folders = ENGINES[format_named(quantized.name).engine].takes_folders
    found = {}
    for part in bundle.manifest.parts:
        if part.role != "runtime" or part.name in others:
            continue
        held = {(item.format, item.precision): item.file for item in bundle.manifest.artefacts_of(part.name)}
        file = held.get((quantized.name, "fp32"))
        if file is None:
            raise InputError(
                f"{part.name} cannot be quantized",
                got=", ".join(" ".join(key) for key in held) or "none",
                expected=f"an artefact of {quantized.name} fp32",
                hint=f"export the bundle again with --to {quantized.name} --precision fp32",
            )
        content = bundle.read_folder(file) if takes_folders else bundle.read(file)
        found[part.name] = quantized.part(part.name, content)
    return found


def _speech_parts(described: manifest.Manifest) -> set[str]:
    return set() if described.voice_activity is None else {described.voice_activity.part}


def _streaming_parts(described: manifest.Manifest) -> set[str]:
    return set() if described.streaming is None else {described.streaming.step, described.streaming.head}


def write_with(
    bundle: Bundle, place: Path, made: Sequence[Made], *, keep: Collection[str] | None = None
) -> None:
    """Write the bundle with new artefacts: whole, or not at all; those of int8 that it had give way.

    Parameters
    ----------
    keep
        The precisions that stay besides the new artefacts; None for all. A part that is left without an
        artefact goes, with its golden values; without the parts of streaming, runtimes compute windows
        again. The speech detector, which has no other precision, always stays.
    """
    described = bundle.manifest
    speech = _speech_parts(described)
    ours = {(item.report.format, item.report.name, _gated(item.report.precision)) for item in made}

    def stays(item: manifest.Artefact) -> bool:
        if item.part in speech:
            return True
        replaced = (item.format, item.part, _gated(item.precision)) in ours
        return not replaced and (keep is None or item.precision in keep)

    artefacts = (*filter(stays, described.artefacts), *(_entry(described, item) for item in made))
    held = {item.part for item in artefacts}
    # An encoder that its step and head stand for had none before.
    lost = {part.name for part in described.parts if described.artefacts_of(part.name)} - held
    parts = tuple(part for part in described.parts if part.name not in lost)
    golden = {name: file for name, file in described.golden.items() if name.partition(".")[0] not in lost}
    gone = {file for name, file in described.golden.items() if name not in golden}
    for item in described.artefacts:
        if not stays(item):
            gone |= {item.file, *described.files_in(item.file)}
    files: dict[str, bytes | Path] = {name: bundle.read(name) for name in described.files if name not in gone}
    for new in made:
        files |= new.files
    card = bundle.read(described.model_card).decode("utf-8", "replace")
    files[described.model_card] = with_artefacts(card, artefacts).encode()
    changed = replace(
        described,
        parts=parts,
        artefacts=artefacts,
        golden=golden,
        streaming=None if _streaming_parts(described) & lost else described.streaming,
        files={},
    )
    write_bundle(place, manifest_without_files=changed, files=files)


def _gated(precision: str) -> str:
    """The name that an artefact has, or would have if it had passed its gate."""
    return precision.removesuffix(UNVERIFIED)


def _entry(described: manifest.Manifest, made: Made) -> manifest.Artefact:
    report = made.report
    of_float = next(
        item
        for item in described.artefacts_of(report.name)
        if (item.format, item.precision) == (report.format, "fp32")
    )
    file_format = quantized_format(report.format)
    oldest = file_format.minimum_runtime
    return manifest.Artefact(
        report.name,
        report.format,
        report.precision,
        made.file,
        of_float.minimum_runtime if oldest is None else oldest(made.content),
        recipe=made.recipe.to_text(),
        parity=made.parity,
        quality={name: round(value, 6) for name, value in report.figures.items() if name != OF_MACHINE},
        states=file_format.states(made.content),
    )


def place_of(path: Path, output: Path | None) -> Path:
    """Return where the new bundle goes; InputError where the old one cannot give way in one step."""
    if output is None and path.suffix != ZIP_SUFFIX:
        raise InputError(
            "a bundle that is a folder is not changed in place", got=path, hint="name an output with -o"
        )
    return path if output is None else output
