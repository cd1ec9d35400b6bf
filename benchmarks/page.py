"""What a benchmark writes into a page: tables, and the part between two marks that a command fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from voxtoon.atomic_file import write_atomically
from voxtoon.errors import InputError


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; its first row is the header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def verdict(is_met: bool) -> str:
    """What a table says of a limit."""
    return "met" if is_met else "**MISSED**"


def tell(sections: Iterable[str], page: Path | None, *, start: str, end: str) -> None:
    """Print each section as it comes, and put all of them between the marks of a page where one is named.

    Raises
    ------
    InputError
        The page has not both marks, once each; nothing is measured then.
    """
    if page is not None:
        _around(page, start, end)
    told = []
    for section in sections:
        print(section, flush=True)
        told.append(section)
    if page is not None:
        before, after = _around(page, start, end)  # as it is now: measuring takes its time
        body = "\n\n".join(told)
        write_atomically({page: f"{before}{start}\n\n{body}\n\n{end}{after}".encode()})


def tell_each(names: Sequence[str], measured: Callable[[str], Iterable[str]], page: Path | None) -> None:
    """Do as `tell` with what is measured under each name, between its `marks`: what is cut short loses one.

    Raises
    ------
    InputError
        The page has not the marks of all; nothing is measured then.
    """
    if page is not None:
        for name in names:
            _around(page, *marks(name))
    for name in names:
        start, end = marks(name)
        tell(measured(name), page, start=start, end=end)


def marks(name: str) -> tuple[str, str]:
    """Return what stands before and behind a part of a page that has a name."""
    return f"<!-- measured {name} -->", f"<!-- end of measured {name} -->"


def _around(page: Path, start: str, end: str) -> tuple[str, str]:
    text = page.read_text(encoding="utf-8")
    if (text.count(start), text.count(end)) != (1, 1):
        raise InputError(f"{page} is no page to write to", expected=f"{start} and {end}, once each")
    before, _, rest = text.partition(start)
    return before, rest.partition(end)[2]
