"""Which speakers training never sees: one rule, shared by the recipes and by ``voxtoon evaluate``.

The rule depends on nothing but the speaker's name, so it cannot drift with file order, seeds or library
versions, and adding speakers moves none of those that are there.
"""

from __future__ import annotations

import hashlib

HELD_OUT_SHARE = 0.20
VALIDATION_SHARE = 0.10  # of the speakers that are not held out


def is_held_out(speaker: str) -> bool:
    """Whether a speaker is kept for the final evaluation, and never trained or tuned on.

    Parameters
    ----------
    speaker : str
        The speaker's name as it stands in ``index.csv``.

    Returns
    -------
    bool
        True for about 20 % of all names.
    """
    return _position(speaker, salt="") < HELD_OUT_SHARE


def is_validation(speaker: str) -> bool:
    """Whether a speaker is kept for choosing between models, and not trained on.

    Parameters
    ----------
    speaker : str
        The speaker's name as it stands in ``index.csv``.

    Returns
    -------
    bool
        True for about 10 % of the names that are not held out; never true for a held-out one.
    """
    return not is_held_out(speaker) and _position(speaker, salt="validation:") < VALIDATION_SHARE


def _position(name: str, *, salt: str) -> float:
    """A fixed place in [0, 1) for a name, by the first eight bytes of its SHA-256."""
    digest = hashlib.sha256((salt + name).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
