"""From one avatar to the next without a jump."""

from __future__ import annotations

import math

from voxtoon.avatar.evaluate import blend, evaluate_colours
from voxtoon.avatar.parameters import NEUTRAL, AvatarParameters
from voxtoon.errors import InputError

SLOW_S = 1.2
FAST_S = 0.3
REST = 0.002
"""Share of the way at which the movement ends: nobody sees the difference."""


def time_constant_s(confidence: float) -> float:
    """Seconds in which 63 % of the way to a face is gone: 1.2 at no confidence, 0.3 at full.

    Early faces jump most from one update to the next, and are trusted least.
    """
    return SLOW_S + (FAST_S - SLOW_S) * min(max(confidence, 0.0), 1.0)


class Morph:
    """Parameters that follow the faces of a call.

    Each moves towards where it is aimed at as ``distance * exp(-time / time constant)``: never beyond it, and
    the same however often it is looked at. A colour moves with the numbers, byte by byte.

    Parameters
    ----------
    start
        Where it begins.
    """

    def __init__(self, start: AvatarParameters = NEUTRAL) -> None:
        self._start = self._aim = self._now = start
        self._aimed_s = self._now_s = 0.0
        self._constant_s = FAST_S

    @property
    def is_still(self) -> bool:
        """Whether it has arrived."""
        return self._now == self._aim

    def aim(self, parameters: AvatarParameters, *, confidence: float, at_s: float) -> None:
        """Move towards these from now on, at the pace of `time_constant_s`."""
        self._start, self._aim = self.at(at_s), parameters
        self._aimed_s = at_s
        self._constant_s = time_constant_s(confidence)

    def at(self, time_s: float) -> AvatarParameters:
        """The parameters at a time; times never go back.

        Raises
        ------
        InputError
            When the time lies before one that was asked for.
        """
        if not time_s >= self._now_s:
            raise InputError("time of a morph", got=f"{time_s} s", expected=f"{self._now_s} s or later")
        self._now_s = time_s
        if not self.is_still:
            rest = math.exp((self._aimed_s - time_s) / self._constant_s)
            self._now = self._aim if rest < REST else _between(self._start, self._aim, 1 - rest)
        return self._now


def _between(start: AvatarParameters, end: AvatarParameters, way: float) -> AvatarParameters:
    last = end.numbers()
    moved = {name: value + way * (last[name] - value) for name, value in start.numbers().items()}
    skin = end.skin
    if start.skin != skin:
        skin = blend([(1 - way, evaluate_colours(start)["skin"]), (way, evaluate_colours(end)["skin"])])
    return AvatarParameters(**moved, skin=skin)
