"""From a bundle and a data folder to the tables, as text or JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.errors import InputError
from voxtoon_export.evaluation.data import read_index
from voxtoon_export.evaluation.measure import COMPONENTS, Progress, measure_bundle, training_components
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_export.evaluation.tables import Table, all_tables

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle

FEWEST_CLIPS = 2  # one clip can neither be shuffled nor retrieved


@dataclass(frozen=True)
class Report:
    """The tables, and what they were computed on."""

    system: str
    variant: str
    clips: int
    speakers: int
    training_clips: int
    has_face_encoder: bool
    tables: tuple[Table, ...]

    def to_json(self) -> dict[str, Any]:
        """One object: table, then row, then column."""
        head = {
            "system": self.system,
            "variant": self.variant,
            "clips": self.clips,
            "speakers": self.speakers,
            "training_clips": self.training_clips,
        }
        figures = {
            table.key: {name: dict(zip(table.columns, row, strict=True)) for name, row in table.rows.items()}
            for table in self.tables
        }
        return {**head, **figures}

    def to_text(self) -> str:
        """Tables for a terminal."""
        head = (
            f"{self.system} {self.variant}: {self.clips} clips of {self.speakers} speakers kept out;\n"
            f"mean face and principal components from {self.training_clips} clips of the training speakers"
        )
        notes = [] if self.has_face_encoder else ["No face_encoder: no angle, retrieval, craniofacial table."]
        return "\n\n".join([head, *notes, *map(format_table, self.tables)])


def evaluate(
    bundle: Bundle,
    folder: Path,
    *,
    max_clips: int | None = None,
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure a bundle on the speakers of a data folder that are held out.

    Parameters
    ----------
    bundle : voxtoon.Bundle
        An open bundle.
    folder : pathlib.Path
        Laid out as `data.read_index` says.
    max_clips : int, optional
        Evaluate only the first so many clips.
    engine, precision, threads
        As for `voxtoon.Bundle.pipeline`.
    progress : callable, optional
        Called with the number of clips done and their total.

    Returns
    -------
    Report
        All tables that the bundle's parts allow.

    Raises
    ------
    InputError
        If the folder is not such a data folder, or has too few clips.
    """
    if max_clips is not None and max_clips < FEWEST_CLIPS:
        raise InputError("too few clips asked for", got=max_clips, expected=f"{FEWEST_CLIPS} or more")
    index = read_index(folder)
    training = [clip for clip in index if not is_held_out(clip.speaker)]
    clips = [clip for clip in index if is_held_out(clip.speaker)][:max_clips]
    if len(clips) < FEWEST_CLIPS or len(training) <= COMPONENTS:
        got = f"{len(clips)} clips of held-out and {len(training)} of other speakers in {folder}"
        raise InputError("too little data", got=got, expected=f"{FEWEST_CLIPS} and {COMPONENTS + 1}, or more")
    components = training_components(training)
    measured = measure_bundle(
        bundle, clips, engine=engine, precision=precision, threads=threads, progress=progress
    )
    return Report(
        system=bundle.manifest.system,
        variant=bundle.manifest.variant,
        clips=len(clips),
        speakers=len(set(measured.speakers)),
        training_clips=len(training),
        has_face_encoder=measured.faces is not None,
        tables=tuple(all_tables(measured, components)),
    )


def format_table(table: Table) -> str:
    """A table as lines: its title, its columns, and one line per row."""
    cells = [
        ["-" if value is None else f"{value:.{table.decimals}f}" for value in row]
        for row in table.rows.values()
    ]
    widths = [
        max(len(title), *(len(row[column]) for row in cells)) for column, title in enumerate(table.columns)
    ]
    first = max(len(name) for name in table.rows)
    lines = [" " * first + "".join(f"  {t:>{w}}" for t, w in zip(table.columns, widths, strict=True))]
    for name, row in zip(table.rows, cells, strict=True):
        lines.append(f"{name:<{first}}" + "".join(f"  {c:>{w}}" for c, w in zip(row, widths, strict=True)))
    return "\n".join([table.title, *(f"  {line}" for line in lines)])
