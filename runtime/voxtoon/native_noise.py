"""What native libraries write to standard error for themselves, past Python and its logging."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Send what is written to the descriptor of standard error nowhere.

    It belongs to the whole process: what other threads write there meanwhile is lost too, so what is done
    inside should be short, and an error inside should raise.
    """
    try:
        before = os.dup(_STDERR)
    except OSError:  # a process without a standard error has nothing to silence
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(before, _STDERR)
        os.close(before)
        os.close(nowhere)
