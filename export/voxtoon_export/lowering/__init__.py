"""The formats a part can be lowered to: one module each, with a `FORMAT`; adding a file here registers it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from voxtoon.agreement import Tolerance
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from voxtoon_export.parts import PartSpec

Lowering = Callable[["nn.Module", "PartSpec", Sequence[str]], Mapping[str, bytes]]


@dataclass(frozen=True)
class Format:
    """A format of artefacts.

    Parameters
    ----------
    name
        As in the manifest, and as the ``--to`` of the command line.
    extension
        Of the files, with its dot.
    engine
        The engine of ``voxtoon.engines`` that runs it, and that it is verified on.
    tolerances
        What an output must reach against torch, for each precision this format has.
    minimum_runtime
        The oldest version of each library that runs it.
    lower
        ``(module, part, precisions)`` to the bytes of one artefact per precision. The module is in eval mode.
    """

    name: str
    extension: str
    engine: str
    tolerances: Mapping[str, Tolerance]
    minimum_runtime: Mapping[str, str]
    lower: Lowering


def format_names() -> tuple[str, ...]:
    """Return the names of all formats; none of their modules is loaded for it."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def format_named(name: str) -> Format:
    """Return a format by name.

    Raises
    ------
    InputError
        There is none of that name.
    """
    if name not in format_names():
        raise InputError("unknown format", got=name, expected="one of " + ", ".join(format_names()))
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found
