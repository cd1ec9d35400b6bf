"""The layouts of checkpoints that can be read: one file each, found by name or by the names of tensors."""

from __future__ import annotations

from collections.abc import Collection

from voxtoon.errors import InputError

from . import aqibahmad, imatge_upc, kacper_pietkun, saiteja_talluri, voxtoon
from .layout import Layout
from .others import OTHERS

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        voxtoon.LAYOUT,
        kacper_pietkun.LAYOUT,
        saiteja_talluri.LAYOUT,
        aqibahmad.LAYOUT,
        *imatge_upc.LAYOUTS,
    )
}

# A file with a few tensors missing or too many is still told, so that the message can name those.
_LEAST_SHARE = 0.5

__all__ = ["LAYOUTS", "OTHERS", "Layout", "detect", "layout"]


def layout(name: str) -> Layout:
    """The layout of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in LAYOUTS:
        raise InputError("unknown checkpoint layout", got=name, expected="one of " + ", ".join(LAYOUTS))
    return LAYOUTS[name]


def detect(names: Collection[str]) -> Layout:
    """The layout that knows most of these tensors.

    Parameters
    ----------
    names
        Of all tensors of a file.

    Raises
    ------
    InputError
        None knows half of them; a checkpoint of a known other kind is called by its name.
    """
    for other in OTHERS:
        if all(name in names for name in other.tensors):
            raise InputError(f"a checkpoint of {other.title} cannot be used", got=other.reason)
    known = {name: len(layout.names & set(names)) for name, layout in LAYOUTS.items()}
    best = max(known, key=lambda name: known[name])
    if not names or known[best] < _LEAST_SHARE * len(names):
        some = ", ".join(sorted(names)[:3]) or "no tensors"
        raise InputError("checkpoint of no known layout", got=some, expected="one of " + ", ".join(LAYOUTS))
    return LAYOUTS[best]
