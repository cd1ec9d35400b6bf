"""The artefacts of an export: each is checked against its reference before it is let in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon import manifest
from voxtoon.agreement import Agreement, Tolerance, worst
from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError, VoxtoonError
from voxtoon_export.lowering import Content, Format
from voxtoon_export.parity import Case, check_artefact

if TYPE_CHECKING:
    from torch import nn

    from voxtoon.engines import Session


@dataclass
class CheckedArtefacts:
    """The artefacts made so far; their bytes wait in a folder.

    Parameters
    ----------
    folder
        Where, by the names that they have in a bundle.
    artefacts
        Their entries of the manifest.
    files
        Path in the bundle to where it is.
    sizes_bytes
        File or folder of an artefact to its size.
    """

    folder: Path
    artefacts: list[manifest.Artefact] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        file_format: Format,
        part: str,
        precision: str,
        content: Content,
        cases: Sequence[Case],
        *,
        module: nn.Module | None = None,
        reference: str = "torch",
        adapt: Callable[[Session], Session] = lambda session: session,
    ) -> None:
        """Check an artefact and let it in.

        Parameters
        ----------
        file_format, part, precision, content
            What it is.
        cases
            What it is checked on.
        module
            What it was made from, to say where it goes wrong; None where that is no chain of layers.
        reference
            What the cases were computed with.
        adapt
            From a session of the artefact to one that takes the inputs of the cases.

        Raises
        ------
        CheckError
            It misses its tolerance, or cannot be run or compared.
        """
        tolerance = file_format.tolerances[precision]
        session = ENGINES[file_format.engine].load(content, precision=precision, threads=None)
        where = f"{part} {file_format.name} {precision}"
        try:
            found = check_artefact(adapt(session), cases, tolerance=tolerance, where=where)
        except CheckError as error:
            place = _where_it_appears(file_format, content, module, cases[-1].inputs, tolerance)
            if place is None:
                raise
            raise CheckError(f"{error}; {place}") from error
        self.let_in(file_format, part, precision, content, worst(found.values()), reference=reference)

    def let_in(
        self,
        file_format: Format,
        part: str,
        precision: str,
        content: Content,
        agreement: Agreement,
        *,
        reference: str = "torch",
    ) -> None:
        """Keep an artefact that was checked, with how far it is from its reference."""
        file = f"{part}.{precision}{file_format.extension}"
        if isinstance(content, bytes):
            files: Mapping[str, bytes] = {file: content}
        else:
            files = {f"{file}/{name}": inside for name, inside in content.items()}
        for name, inside in files.items():
            self.files[name] = self.folder / name
            self.files[name].parent.mkdir(parents=True, exist_ok=True)
            self.files[name].write_bytes(inside)
        self.sizes_bytes[file] = sum(map(len, files.values()))
        tolerance = file_format.tolerances[precision].to_json()
        parity = manifest.Parity(reference=reference, **agreement.to_json(), tolerance=tolerance)
        self.artefacts.append(
            manifest.Artefact(
                part, file_format.name, precision, file, file_format.minimum_runtime, parity=parity
            )
        )


def _where_it_appears(
    file_format: Format,
    content: Content,
    module: nn.Module | None,
    inputs: Mapping[str, Any],
    tolerance: Tolerance,
) -> str | None:
    """Say where a failing artefact leaves the way of its module, None where that cannot be found."""
    from voxtoon_export.layer_outputs import where_it_appears
    from voxtoon_export.network import Network

    if file_format.intermediates is None or not isinstance(module, Network):
        return None
    try:
        values = list(file_format.intermediates(content, inputs))
    except (VoxtoonError, RuntimeError):  # what cannot be run cannot be looked into either
        return None
    found = where_it_appears(values, module, inputs, tolerance=tolerance)
    return None if found is None else str(found)
