"""A child process whose lines are read, and what a device's end of it says when it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Final

from voxtoon.errors import CheckError, InputError, VoxtoonError

_END_S: Final = 15
_LONGEST_LINE: Final = 64 * 1024 * 1024


class Process:
    """A running program with its own session: Ctrl-C at our terminal is ours, and its end is ours to make.

    Leaving closes its standard input, which tells a device that the host is gone, and waits; what has not
    ended by then is killed.

    Parameters
    ----------
    command
        Its words; no shell ever reads them.
    environment
        Of the process, None for ours.
    """

    def __init__(self, command: Sequence[str], *, environment: dict[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed on leaving
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            hint = f"install {command[0]}" if isinstance(error, FileNotFoundError) else None
            raise InputError(f"cannot start {command[0]}", got=error.strerror, hint=hint) from error

    def send(self, content: IO[bytes]) -> None:
        """Write to its standard input; a process that no longer reads says why in its own lines."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            while block := content.read(1 << 20):
                self._child.stdin.write(block)
            self._child.stdin.flush()

    def lines(self) -> Iterator[str]:
        """Return the lines of its standard output until it ends."""
        assert self._child.stdout is not None
        while line := self._child.stdout.readline(_LONGEST_LINE):
            yield line.decode("utf-8", "replace")

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said on standard error."""
        code = self._child.wait()
        self._errors.seek(0)
        return code, self._errors.read().decode("utf-8", "replace").strip()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._errors.close()


def refusal(line: str, *, where: str) -> VoxtoonError | None:
    """Return the error that a line of `bootstrap` or of the protocol stands for, None where it is another."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    if "refused" in said:
        return _refused(said, where)
    if "signal" in said:
        return died(int(said["signal"]), where=where)
    if "error" in said:
        kind = CheckError if said.get("exit_code") == CheckError.exit_code else InputError
        return kind(f"{where}: {said['error']}")
    return None


def died(number: int, *, where: str) -> CheckError:
    """Return what to say of a measuring process that died of a signal."""
    if number == signal.SIGILL:
        return CheckError(
            f"{where}: the engine died of an illegal instruction",
            hint="its package was built for a newer processor: install another version of it there",
        )
    if number == signal.SIGKILL:
        return CheckError(
            f"{where}: measuring was killed", hint="the device may be out of memory: try a smaller model"
        )
    with suppress(ValueError):
        return CheckError(f"{where}: measuring died of {signal.Signals(number).name}")
    return CheckError(f"{where}: measuring died of signal {number}")


def _refused(said: dict[str, Any], where: str) -> InputError:
    if said["refused"] == "python":
        return InputError(
            f"the Python of {where} is too old",
            got=said.get("got"),
            expected=f"{said.get('least')} or later",
            hint="name another one with --python",
        )
    if said["refused"] == "packages":
        missing = ", ".join(map(str, said.get("missing", ())))
        return InputError(
            f"{where} lacks packages", got=f"no {missing}", hint="on the device: pip install voxtoon"
        )
    if said["refused"] == "disk":
        return InputError(
            f"{where} cannot hold what is to be measured",
            got=f"{said.get('got')} in {said.get('folder')}",
            hint="make room there, or set TMPDIR there to a folder with room",
        )
    return InputError(f"what was carried to {where} did not arrive whole", hint="try again")
