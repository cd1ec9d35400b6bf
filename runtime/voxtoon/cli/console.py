"""What commands print: a table, and on a terminal what they are doing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

_CLEAR = "\r\033[K"


class Tell(Protocol):
    """Takes a few words about the step that begins."""

    def __call__(self, words: str) -> None:
        """Show them in place of the words before."""


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on one line of the terminal what is being done, and clear it at the end; nothing in a pipe."""
    on_terminal = sys.stderr.isatty()

    def tell(words: str) -> None:
        if on_terminal:
            print(f"{_CLEAR}{words} ...", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if on_terminal:
            print(_CLEAR, end="", file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a table: the first column to the left, all others to the right, two spaces between."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def cell(text: str, column: int) -> str:
        return text.rjust(widths[column]) if column else text.ljust(widths[column])

    return "\n".join(
        "  ".join(cell(text, column) for column, text in enumerate(line)).rstrip() for line in lines
    )
