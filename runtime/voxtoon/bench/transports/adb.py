"""An Android device that the system's adb reaches: ``adb:SERIAL``.

The device needs a Python that the shell's user may run; docs/devices.md tells what can be done without.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from voxtoon.bench.transports import Options, Transport
from voxtoon.bench.transports.cargo import BUNDLE, KEPT, bootstrap, packed
from voxtoon.bench.transports.process import Process, refusal
from voxtoon.errors import InputError

_FORM: Final = "adb:SERIAL"
_PREFIX: Final = "adb:"
_SERIAL: Final = re.compile(r"adb:[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_FOLDER: Final = "/data/local/tmp"
_TIMEOUT_S: Final = 600
_NO_SUCH_COMMAND: Final = (126, 127)


class Adb:
    """The system's adb for one device; its words never meet a shell of this machine.

    Parameters
    ----------
    serial
        As ``adb devices`` lists it.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self.words = ["adb", "-s", serial]

    def run(self, *words: str) -> str:
        """Run one command of adb to its end; raises InputError when it fails."""
        try:
            done = subprocess.run(
                [*self.words, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError as error:
            raise InputError("adb is not installed", hint="install the package adb") from error
        except subprocess.TimeoutExpired as error:
            raise InputError(f"adb:{self.serial} does not answer", hint="look at its cable") from error
        if done.returncode:
            raise problem(f"{done.stdout}\n{done.stderr}".strip(), self.serial)
        return done.stdout

    def shell(self, *words: str) -> str:
        """Run a program on the device; each word arrives there as it is."""
        return self.run("shell", shlex.join(words))


@contextmanager
def connect(
    target: str, bundle: Path, request: Mapping[str, Any], options: Options
) -> Iterator[Iterator[str]]:
    """Push, start, give the lines, pull what the connection swallowed; raises InputError where it cannot."""
    adb = Adb(target.removeprefix(_PREFIX))
    adb.run("get-state")
    folder = f"{_FOLDER}/voxtoon-bench-{secrets.token_hex(8)}"
    try:
        adb.shell("mkdir", "-p", folder)
        _push(adb, bundle, folder)
        remote = [
            options.python,
            f"{folder}/bootstrap.py",
            json.dumps({**request, "bundle": BUNDLE}),
            f"{folder}/cargo.tar",
        ]
        with Process([*adb.words, "shell", "-T", shlex.join(remote)]) as process:
            yield _lines(process, adb, folder, options)
    finally:
        _remove(adb, folder)


def _push(adb: Adb, bundle: Path, folder: str) -> None:
    with packed(bundle) as cargo, tempfile.NamedTemporaryFile("w", suffix=".py") as program:
        program.write(bootstrap())
        program.flush()
        adb.run("push", program.name, f"{folder}/bootstrap.py")
        adb.run("push", cargo.name, f"{folder}/cargo.tar")


def _lines(process: Process, adb: Adb, folder: str, options: Options) -> Iterator[str]:
    """Give the lines as they come and, at the end, those of the device's own copy that did not come."""
    target = f"{_PREFIX}{adb.serial}"
    came = 0
    for line in process.lines():
        error = refusal(line, where=target)
        if error is not None:
            raise error
        came += 1
        yield line
    code, said = process.ended()
    if code in _NO_SUCH_COMMAND:
        raise InputError(
            f"{target} has no Python for its shell",
            got=f"no {options.python}",
            hint="name one with --python; docs/devices.md tells what can be measured without",
        )
    if code:
        yield from _kept(adb, folder)[came:]
        raise problem(said or f"exit code {code}", adb.serial)


def _kept(adb: Adb, folder: str) -> list[str]:
    """Pull the copy; nothing where the device is gone."""
    with tempfile.TemporaryDirectory() as here:
        try:
            adb.run("pull", f"{folder}/{KEPT}", here)
        except InputError:
            return []
        return Path(here, KEPT).read_text(encoding="utf-8", errors="replace").splitlines()


def _remove(adb: Adb, folder: str) -> None:
    with suppress(InputError):  # a device that is gone has removed the large part itself
        adb.shell("rm", "-rf", folder)


def problem(said: str, serial: str) -> InputError:
    """Return the error for an adb that failed after saying ``said``."""
    lines = said.splitlines() or ["nothing"]
    last = next((line for line in lines if "error" in line), lines[-1])
    if "No space left" in said:
        return InputError(
            f"adb:{serial} cannot hold what is to be measured", got=last, hint=f"make room in {_FOLDER}"
        )
    if "unauthorized" in said:
        return InputError(f"adb:{serial} does not trust this machine", hint="allow debugging on its screen")
    if re.search(r"not found|no devices|offline|closed|cannot connect", said):
        return InputError(
            f"adb:{serial} cannot be reached", got=last, hint="`adb devices` lists what can; is debugging on?"
        )
    return InputError(f"measuring on adb:{serial} ended early", got=last)


TRANSPORT = Transport(_FORM, lambda target: _SERIAL.fullmatch(target) is not None, connect)
