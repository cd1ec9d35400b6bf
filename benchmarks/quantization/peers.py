"""Each peer beside the recipe of ours that answers it: no larger, no less faithful, faster where asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, cast

from voxtoon_quantize.gate import INT8_GATE

from .bench import Table
from .outcomes import OfPart, Outcome

SAME_ANGLE_DEG: Final = 0.01
SAME_PSNR_DB: Final = 0.1
"""What tells no two apart: the last digit that the tables print."""
FASTER: Final = cast(float, next(limit.at_least for limit in INT8_GATE if limit.figure == "faster"))
"""So much is faster, and no noise: what the gate asks."""


def asked_of(whom: str, *, faster: bool) -> str:
    """The sentence before the table: what is asked."""
    speed = f", and each part at least {FASTER:g} times faster" if faster else ""
    return (
        f"{whom} on the same model, each beside the recipe of ours that answers it: asked are no more bytes "
        f"of both parts together, an angle and a PSNR no worse ({SAME_ANGLE_DEG:g} degrees and "
        f"{SAME_PSNR_DB:g} dB, the last digits told, count as nothing){speed}."
    )


def against_peers(ours: Sequence[Outcome], peers: Sequence[Outcome], *, faster: bool) -> Table:
    """One row for each peer, the header first.

    Of the recipes that do all that is asked, or else miss the least of it, that one is told which makes the
    truest face of those that are as fast as the fastest.

    Parameters
    ----------
    faster
        Whether every part must be faster than the peer's, too.
    """
    parts = list(peers[0].parts)
    header = ["peer", "ours", "bytes, ours / its", "angle", "PSNR dB"]
    rows: Table = [(*header, *(f"{name} faster than its" for name in parts), "asked")]
    for peer in peers:
        best = _best(ours, peer, faster)
        told = ", ".join(_missed(best, peer, faster))
        rows.append(
            (
                peer.label,
                best.label,
                f"{best.bytes:,} / {peer.bytes:,} = {best.bytes / peer.bytes:.3f}",
                f"{best.quality.angle_mean_deg:.2f} / {peer.quality.angle_mean_deg:.2f}",
                f"{best.quality.psnr_db:.1f} / {peer.quality.psnr_db:.1f}",
                *(f"{_times_faster(best, peer, name):.2f}x" for name in parts),
                f"MISSED: {told}" if told else "met",
            )
        )
    return rows


def _best(ours: Sequence[Outcome], peer: Outcome, faster: bool) -> Outcome:
    misses = [len(list(_missed(own, peer, faster))) for own in ours]
    nearest = [own for own, count in zip(ours, misses, strict=True) if count == min(misses)]
    fastest = max(map(_overall, nearest))
    return max(
        (own for own in nearest if FASTER * _overall(own) >= fastest),
        key=lambda own: own.quality.psnr_db or 0.0,
    )


def _missed(own: Outcome, peer: Outcome, faster: bool) -> Iterator[str]:
    if own.bytes > peer.bytes:
        yield "size"
    if own.quality.angle_mean_deg > peer.quality.angle_mean_deg + SAME_ANGLE_DEG:
        yield "angle"
    assert own.quality.psnr_db is not None
    assert peer.quality.psnr_db is not None
    if own.quality.psnr_db < peer.quality.psnr_db - SAME_PSNR_DB:
        yield "PSNR"
    for name in own.parts if faster else ():
        if _times_faster(own, peer, name) < FASTER:
            yield f"speed of the {name}"


def _times_faster(own: Outcome, peer: Outcome, name: str) -> float:
    return _speed(own.parts[name]) / _speed(peer.parts[name])


def _speed(part: OfPart) -> float:
    assert part.faster is not None
    return part.faster


def _overall(own: Outcome) -> float:
    """The geometric mean of the speeds of all parts."""
    return math.prod(map(_speed, own.parts.values())) ** (1 / len(own.parts))
