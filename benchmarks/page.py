"""What a benchmark writes into a page: tables, and the part between two marks that a command fills."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from voxtoon.atomic_file import write_atomically
from voxtoon.errors import InputError


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; its first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def tell(sections: Iterable[str], page: Path | None, *, start: str, end: str) -> None:
    """Print each section as it comes, and put all of them between the marks of a page where one is named.

    Raises
    ------
    InputError
        The page has not both marks, once each; nothing is measured then.
    """
    before = after = ""
    if page is not None:
        text = page.read_text(encoding="utf-8")
        if (text.count(start), text.count(end)) != (1, 1):
            raise InputError(f"{page} is no page to write to", expected=f"{start} and {end}, once each")
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
    told = []
    for section in sections:
        print(section, flush=True)
        told.append(section)
    if page is not None:
        body = "\n\n".join(told)
        write_atomically({page: f"{before}{start}\n\n{body}\n\n{end}{after}".encode()})
