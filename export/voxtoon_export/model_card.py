"""The model card of a bundle, and what its manifest says in short: licence, intended use, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from voxtoon.manifest import Artefact
    from voxtoon_export.checkpoint import Checkpoint

UNKNOWN_LICENCE: Final = "unknown: ask whoever made the checkpoint"
INTENDED_USE: Final = (
    "Research and demonstration: a cartoon of a caller, drawn on the device. A cartoon, not a likeness."
)
_PARITY: Final = "## Parity"
LIMITS: Final = (
    "A voice does not tell what a person looks like: the face is an average one that fits the voice. It must "
    "not be used to recognise, judge or describe anybody. For a voice unlike those of training it is void."
)


@dataclass(frozen=True)
class Declaration:
    """What the manifest says in words; a checkpoint's model card may say it better."""

    licence: str = UNKNOWN_LICENCE
    intended_use: str = INTENDED_USE
    limits: str = LIMITS


def declaration_of(card: Mapping[str, Any]) -> Declaration:
    """Return what a checkpoint's model card declares, with what every bundle says where it is silent."""
    names = ("licence", "intended_use", "limits")
    return Declaration(**{name: str(card[name]) for name in names if card.get(name)})


def render(checkpoint: Checkpoint, artefacts: Sequence[Artefact], clips: Sequence[str]) -> str:
    """Write the model card as Markdown: the checkpoint's own, what is declared, and the measured parity."""
    variant = checkpoint.variant
    declared = declaration_of(checkpoint.model_card)
    rest = {
        name: value
        for name, value in checkpoint.model_card.items()
        if name not in ("licence", "intended_use", "limits")
    }
    sections = [
        f"# {variant.name}",
        f"System {variant.system}, front end {variant.front_end.kind}, layout {checkpoint.layout}.",
        f"## Intended use\n\n{declared.intended_use}",
        f"## Limits\n\n{declared.limits}",
        f"## Licence\n\n{declared.licence}",
        *(f"## {_title(name)}\n\n{_markdown(value)}" for name, value in rest.items()),
        f"{_PARITY}\n\nChecked on {', '.join(clips)}.",
    ]
    return with_artefacts("\n\n".join(sections), artefacts)


def with_artefacts(card: str, artefacts: Sequence[Artefact]) -> str:
    """Return a card with the measured figures of these artefacts, in the place of those that it has."""
    before, section, rest = card.partition(_PARITY)
    if not section:  # somebody else's card
        return card
    checked = rest.strip().partition("\n\n")[0]
    return f"{before}{section}\n\n{checked}\n\n{_parity_table(artefacts)}\n"


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _markdown(value: Any, *, indent: int = 0) -> str:
    """Write JSON as nested lists."""
    space = "  " * indent
    if isinstance(value, Mapping):
        return "\n".join(f"{space}- {_title(name)}: {_item(item, indent)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(f"{space}- {_item(item, indent)}" for item in value)
    return str(value)


def _item(value: Any, indent: int) -> str:
    nested = isinstance(value, Mapping | list | tuple)
    return "\n" + _markdown(value, indent=indent + 1) if nested else str(value)


def _parity_table(artefacts: Sequence[Artefact]) -> str:
    rows = ["| artefact | reference | max abs / scale | PSNR, dB | cosine |", "|---|---|---|---|---|"]
    for artefact in artefacts:
        parity = artefact.parity
        if parity is not None:
            figures = f"{parity.max_abs_relative:.1e} | {parity.psnr_db:.1f} | {parity.cosine:.9f}"
            rows.append(f"| {artefact.file} | {parity.reference} | {figures} |")
    return "\n".join(rows)
