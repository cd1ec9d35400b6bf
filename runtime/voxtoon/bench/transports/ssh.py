"""A device that the system's OpenSSH reaches: ``ssh://[user@]host[:port]``.

One connection does it all: the cargo goes in, lines come out, and when the connection ends, in whatever way,
the device kills what it runs and removes what it was given.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from voxtoon.bench.transports import Options, Transport
from voxtoon.bench.transports.cargo import BUNDLE, bootstrap, packed
from voxtoon.bench.transports.process import Process, refusal
from voxtoon.errors import InputError

_FORM: Final = "ssh://[user@]host[:port]"
# ssh hands names on to commands of its configuration: nothing that a shell would read gets so far.
_TARGET: Final = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})@)?"
    r"(?:(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}))|\[(?P<address>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_CONNECTION_FAILED: Final = 255
_NO_SUCH_COMMAND: Final = (126, 127)
_OPTIONS: Final = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
)


@dataclass(frozen=True)
class Address:
    """Where ssh goes to."""

    user: str | None
    host: str
    port: int | None

    @property
    def destination(self) -> str:
        """As ssh takes it."""
        return self.host if self.user is None else f"{self.user}@{self.host}"


def parse(target: str) -> Address | None:
    """Read a target; None where it is not of the form, or holds anything that is no part of a name."""
    found = _TARGET.fullmatch(target)
    if found is None or int(found["port"] or 22) not in range(1, 65536):
        return None
    port = None if found["port"] is None else int(found["port"])
    return Address(found["user"], found["host"] or found["address"], port)


def command(address: Address, request: Mapping[str, Any], options: Options) -> list[str]:
    """Return the words of the ssh that runs the bootstrap; the one shell is the device's, all is quoted."""
    remote = [options.python, "-c", bootstrap(), json.dumps({**request, "bundle": BUNDLE})]
    words = ["ssh", "-T", *(word for option in _OPTIONS for word in ("-o", option))]
    if options.ssh_config is not None:
        words += ["-F", str(options.ssh_config)]
    if address.port is not None:
        words += ["-p", str(address.port)]
    return [*words, "--", address.destination, shlex.join(remote)]


@contextmanager
def connect(
    target: str, bundle: Path, request: Mapping[str, Any], options: Options
) -> Iterator[Iterator[str]]:
    """Carry, start, give the lines; raises InputError where nothing can be reached, or cannot run voxtoon."""
    address = parse(target)
    if address is None:
        raise InputError("where to measure", got=ascii(target), expected=_FORM)
    with packed(bundle) as cargo, Process(command(address, request, options)) as process:
        size = cargo.seek(0, 2)
        cargo.seek(0)
        process.send(BytesIO(b"%d\n" % size))
        process.send(cargo)
        yield _lines(process, target, options)


def _lines(process: Process, target: str, options: Options) -> Iterator[str]:
    for line in process.lines():
        error = refusal(line, where=target)
        if error is not None:
            raise error
        yield line
    code, said = process.ended()
    if code:
        raise problem(code, said, target, options)


def problem(code: int, said: str, target: str, options: Options) -> InputError:
    """Return the error for an ssh that ended with ``code`` after saying ``said``."""
    last = said.splitlines()[-1] if said else f"exit code {code}"
    if code == _CONNECTION_FAILED:
        if "Permission denied" in said:
            return InputError(
                f"{target} does not take your key", got=last, hint="put it there with ssh-copy-id"
            )
        if "Host key verification failed" in said:
            return InputError(
                f"the host key of {target} is not known, or another one",
                hint="look at it and accept it by hand: ssh to it once",
            )
        if re.search(r"closed by|Broken pipe|reset by peer|not responding", said):
            return InputError(f"the connection to {target} was lost", got=last)
        return InputError(f"{target} cannot be reached", got=last, hint="is it on, and does sshd run there?")
    if code in _NO_SUCH_COMMAND:
        return InputError(
            f"{target} has no Python",
            got=f"no {options.python}",
            hint="install it, or name one with --python",
        )
    return InputError(f"measuring on {target} ended early", got=last)


TRANSPORT = Transport(_FORM, lambda target: parse(target) is not None, connect)
