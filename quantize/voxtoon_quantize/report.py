"""What came of quantizing a bundle, and the error that says why it was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from voxtoon.errors import CheckError

from .audit import Operator
from .calibration import Skipped
from .gate import Verdict
from .quality import Quality
from .recipe import Recipe
from .sensitivity import LayerError

INT8: Final = "int8"
UNVERIFIED: Final = "-unverified"
"""What is put behind a precision that missed its gate."""
_FAULTS: Final = 3


@dataclass(frozen=True)
class PartReport:
    """One quantized part: sizes, figures, how it stood the gate, and what of it is not in integers."""

    name: str
    format: str
    precision: str
    bytes_fp32: int
    bytes_quantized: int
    figures: Mapping[str, float]
    verdicts: Sequence[Verdict]
    in_float: tuple[Operator, ...] = ()

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the figures that missed the gate."""
        return tuple(verdict.limit.figure for verdict in self.verdicts if verdict.missed)

    def to_json(self) -> dict[str, Any]:
        """Return all by name; of the gate the lines that were missed."""
        return {
            "part": self.name,
            "format": self.format,
            "precision": self.precision,
            "bytes_fp32": self.bytes_fp32,
            "bytes": self.bytes_quantized,
            "figures": dict(self.figures),
            "missed": list(self.missed),
            "in_float": [operator.to_json() for operator in self.in_float],
        }


@dataclass(frozen=True)
class FormatReport:
    """What came of the parts of a bundle in one format.

    Attributes
    ----------
    recipe
        What was done in the end.
    steps
        What was changed in the recipe for a goal, and why.
    on_a_stream
        The quality of step and head in the encoder's place; None where they are not quantized.
    """

    format: str
    recipe: Recipe
    parts: tuple[PartReport, ...]
    quality: Quality
    steps: tuple[str, ...] = ()
    on_a_stream: Quality | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all by name."""
        return {
            "format": self.format,
            "recipe": self.recipe.to_json(),
            "quality": self.quality.to_json(),
            "on_a_stream": None if self.on_a_stream is None else self.on_a_stream.to_json(),
            "parts": [part.to_json() for part in self.parts],
            "chosen": list(self.steps),
        }


@dataclass(frozen=True)
class Report:
    """What came of a bundle.

    Attributes
    ----------
    bundle
        Where it was written.
    calibrated, judged
        Recordings that were calibrated on, and those that quality was judged on.
    skipped
        Files that gave none.
    """

    bundle: Path
    formats: tuple[FormatReport, ...]
    calibrated: int
    judged: int
    skipped: tuple[Skipped, ...]

    @property
    def parts(self) -> tuple[PartReport, ...]:
        """The parts in all formats."""
        return tuple(part for report in self.formats for part in report.parts)


class RefusedError(CheckError):
    """A part missed the gate.

    Attributes
    ----------
    parts
        All that were quantized.
    blamed
        Where the faces are not the same: the layers whose quantization changes most of the outputs, relative
        to how much these vary from voice to voice.
    """

    def __init__(self, parts: tuple[PartReport, ...], blamed: tuple[LayerError, ...]) -> None:
        self.parts, self.blamed = parts, blamed
        lines = [
            f"{report.name} {report.format}: {verdict.text}"
            for report in parts
            for verdict in report.verdicts
            if verdict.missed
        ]
        faults = [
            f"{report.name}.{operator.layer} is not in integers ({operator.kind}: {operator.reason})"
            for report in parts
            if "integer_macs" in report.missed
            for operator in report.in_float[:_FAULTS]
        ]
        faults += [f"{item.part}.{item.layer} alone changes {item.relative_error:.2g}" for item in blamed]
        found = f"layers at fault: {', '.join(faults)}; " if faults else ""
        super().__init__(
            f"refused as {parts[0].precision.removesuffix(UNVERIFIED)}",
            got="; ".join(lines),
            hint=f"{found}give layers another scheme, or keep it unverified with --allow",
        )
