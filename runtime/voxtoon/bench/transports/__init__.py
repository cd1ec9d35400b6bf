"""Ways to a device: one module each, with a `TRANSPORT`; adding a file here registers it.

What a transport gives is what the device prints, line by line. Whatever it put on the device it takes
away again when it is left, in whatever way.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from voxtoon.errors import InputError

_NO_TRANSPORTS: Final = ("bootstrap", "cargo", "process")


@dataclass(frozen=True)
class Options:
    """What a way to a device may be told.

    Parameters
    ----------
    python
        The interpreter on the device.
    ssh_config
        A configuration of OpenSSH in place of the user's.
    """

    python: str = "python3"
    ssh_config: Path | None = None


class Connect(Protocol):
    """Starts measuring on a device."""

    def __call__(
        self, target: str, bundle: Path, request: Mapping[str, Any], options: Options
    ) -> AbstractContextManager[Iterator[str]]:
        """Carry the bundle to ``target``, start, give the lines; leaving cleans up.

        Raises
        ------
        InputError
            When the target cannot be reached, or cannot run voxtoon.
        """


@dataclass(frozen=True)
class Transport:
    """A way to devices.

    Parameters
    ----------
    form
        How they look, for people.
    accepts
        Whether a text is such a target; nothing is started for one that is not.
    connect
        Starts measuring on one.
    """

    form: str
    accepts: Callable[[str], bool]
    connect: Connect


def transport_for(target: str) -> Transport:
    """Return the way to a target.

    Raises
    ------
    InputError
        When it is none of their targets, or holds anything that is no part of a name.
    """
    for transport in TRANSPORTS:
        if transport.accepts(target):
            return transport
    forms = ", ".join(transport.form for transport in TRANSPORTS)
    raise InputError("where to measure", got=ascii(target), expected=forms)


def _discover() -> tuple[Transport, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    load: Callable[[str], Transport] = lambda name: import_module(f"{__name__}.{name}").TRANSPORT  # noqa: E731
    return tuple(load(name) for name in names if name not in _NO_TRANSPORTS)


TRANSPORTS: Final = _discover()
