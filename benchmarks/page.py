"""The part of a page that a command writes: what is between its two marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from voxtoon.atomic_file import write_atomically


def tell(sections: Iterable[str], page: Path | None, *, start: str, end: str) -> None:
    """Print each section as it comes, and put all of them between the marks of a page where one is named."""
    told = []
    for section in sections:
        print(section, flush=True)
        told.append(section)
    if page is not None:
        before, _, rest = page.read_text(encoding="utf-8").partition(start)
        _, _, after = rest.partition(end)
        text = "\n\n".join(told)
        write_atomically({page: f"{before}{start}\n\n{text}\n\n{end}{after}".encode()})


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; its first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
