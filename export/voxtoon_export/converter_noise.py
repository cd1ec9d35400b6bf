"""Converters talk: log lines, warnings and progress bars, at import and at work; here they are kept quiet."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Final

from voxtoon.native_noise import native_stderr_silenced

LOGGER: Final = logging.getLogger("voxtoon_export")
"""At DEBUG, the converters are heard."""


@contextmanager
def silenced() -> Iterator[io.StringIO]:
    """Keep what is printed inside to itself, unless our logger is at DEBUG.

    Yields
    ------
    StringIO
        What was printed so far: a converter may have said there where it failed.
    """
    said = io.StringIO()
    if LOGGER.isEnabledFor(logging.DEBUG):
        yield said
        return
    before = logging.root.manager.disable
    # Some loggers keep the stream they were born with, so that redirecting it is not enough; what is left are
    # errors, which go nowhere else than to the caller.
    logging.disable(logging.WARNING)
    errors = logging.StreamHandler(said)
    logging.root.addHandler(errors)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(said),
            redirect_stderr(said),
            native_stderr_silenced(),
        ):
            warnings.simplefilter("ignore")
            yield said
    finally:
        logging.root.removeHandler(errors)
        logging.disable(before)
