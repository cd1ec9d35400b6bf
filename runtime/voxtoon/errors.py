"""The errors voxtoon raises: one line each, saying what, got, expected and what to do."""

from __future__ import annotations


class VoxtoonError(Exception):
    """Base of every error raised on purpose; ``exit_code`` is what the command line ends with.

    Parameters
    ----------
    what
        What is wrong, and where.
    got, expected, hint
        What was found, what was wanted, and what to do about it.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, got: object = None, expected: object = None, hint: str | None = None
    ) -> None:
        message = what
        if got is not None:
            message += f": got {got}"
        if expected is not None:
            message += f"{',' if got is not None else ':'} expected {expected}"
        if hint is not None:
            message += f"; {hint}"
        super().__init__(message)


class InputError(VoxtoonError):
    """Wrong use or bad input (exit code 2)."""


class CheckError(VoxtoonError):
    """A check failed: parity, quality or integrity (exit code 1)."""

    exit_code = 1
