"""What became of the parts of a bundle by one recipe, ours or a peer's, and the rows that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from voxtoon.errors import VoxtoonError
from voxtoon_export.lowering import Content
from voxtoon_quantize.formats import FloatPart, size_bytes
from voxtoon_quantize.judging import Judged
from voxtoon_quantize.quality import Quality
from voxtoon_quantize.recipe import Recipe
from voxtoon_quantize.timing import speed_ratio

from .bench import QUALITY_HEADER, Table, quality_cells

_ANY: Final = Recipe()


@dataclass(frozen=True)
class OfPart:
    """One artefact, beside the float one.

    Attributes
    ----------
    bytes
        Of its files.
    smaller, faster
        Ratios to float32; the second is None where this machine cannot tell.
    integers
        Share of multiplications.
    """

    bytes: int
    smaller: float
    faster: float | None
    integers: float


@dataclass(frozen=True)
class Outcome:
    """The artefacts of a recipe by part, and what they make of the voices that are judged."""

    label: str
    parts: Mapping[str, OfPart]
    quality: Quality

    @property
    def bytes(self) -> int:
        """Of all parts."""
        return sum(part.bytes for part in self.parts.values())


@dataclass(frozen=True)
class Refusal:
    """A recipe that a format, or what runs it, refuses on this model, or a peer that fails: why."""

    label: str
    reason: str


def outcome(
    label: str,
    made: Mapping[str, Content],
    parts: Mapping[str, FloatPart],
    judged: Judged,
    recipe: Recipe = _ANY,
) -> Outcome:
    """Measure artefacts; those of peers are counted as made for any processor."""
    of_parts = {name: _of_part(parts[name], content, judged, recipe) for name, content in made.items()}
    return Outcome(label, of_parts, judged.quality(made))


def outcomes(
    recipes: Mapping[str, Recipe],
    make: Callable[[Recipe], Mapping[str, Content]],
    parts: Mapping[str, FloatPart],
    judged: Judged,
) -> Iterator[Outcome | Refusal]:
    """Measure what recipes make, by their labels."""
    for label, recipe in recipes.items():
        try:
            yield outcome(label, make(recipe), parts, judged, recipe)
        except VoxtoonError as refused:
            yield Refusal(label, str(refused))


def _of_part(part: FloatPart, content: Content, judged: Judged, recipe: Recipe) -> OfPart:
    quantized, run = judged.format, judged.inputs[part.name][0]
    faster = None
    if quantized.timed:
        reference = quantized.load(part.content, precision="fp32")
        faster = speed_ratio(reference, quantized.load(content, precision="int8"), run)
    size, share = size_bytes(content), quantized.audit(content, run, recipe).mac_share
    return OfPart(size, size_bytes(part.content) / size, faster, share)


def table(found: Sequence[Outcome | Refusal]) -> Table:
    """One row for each, the header first."""
    header = ["recipe"]
    for name, part in measured(found)[0].parts.items():
        header += [f"{name} smaller", *(["faster"] if part.faster is not None else []), "integer MACs"]
    rows: Table = [(*header, *QUALITY_HEADER)]
    for item in found:
        if isinstance(item, Refusal):
            rows.append((item.label, f"refused: {item.reason}", *[""] * (len(rows[0]) - 2)))
            continue
        cells = [item.label]
        for part in item.parts.values():
            cells.append(f"{part.smaller:.2f}x")
            if part.faster is not None:
                cells.append(f"{part.faster:.2f}x")
            cells.append(f"{100 * part.integers:.0f} %")
        rows.append((*cells, *quality_cells(item.quality)))
    return rows


def measured(found: Sequence[Outcome | Refusal]) -> list[Outcome]:
    """Those that there are figures of."""
    return [item for item in found if isinstance(item, Outcome)]
