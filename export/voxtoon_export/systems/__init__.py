"""The declared systems: one file each, found by name. Nothing here needs torch."""

from __future__ import annotations

from voxtoon.errors import InputError

from .declaration import System, Variant
from .speech2face import SPEECH2FACE
from .wav2pix import WAV2PIX

SYSTEMS: dict[str, System] = {system.name: system for system in (SPEECH2FACE, WAV2PIX)}

__all__ = ["SYSTEMS", "System", "Variant", "system", "variant"]


def system(name: str) -> System:
    """The declared system of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in SYSTEMS:
        raise InputError("unknown system", got=name, expected="one of " + ", ".join(SYSTEMS))
    return SYSTEMS[name]


def variant(name: str) -> Variant:
    """The variant of that name, of whichever system has it.

    Raises
    ------
    InputError
        There is none.
    """
    known = {name: variant for system in SYSTEMS.values() for name, variant in system.variants.items()}
    if name not in known:
        raise InputError("unknown variant", got=name, expected="one of " + ", ".join(known))
    return known[name]
