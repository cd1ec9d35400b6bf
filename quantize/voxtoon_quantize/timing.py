"""How much faster one session of one thread is than another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from voxtoon.engines import Session

    from .formats import Inputs

_ROUNDS: Final = 15
_ROUND_S: Final = 1.0  # of one session; what is slow is not run as often


def speed_ratio(reference: Session, candidate: Session, inputs: Inputs) -> float:
    """Return how many times faster a candidate is: they take turns, and the fastest run of each counts.

    Time of the thread is counted, not of the clock: what else the machine does is none of theirs.
    """
    least = {id(reference): np.inf, id(candidate): np.inf}
    spent_s = 0.0
    for _ in range(_ROUNDS):
        for session in (reference, candidate):
            start = time.thread_time()
            session.run(inputs)
            took_s = time.thread_time() - start
            least[id(session)] = min(least[id(session)], took_s)
            spent_s += took_s
        if spent_s > 2 * _ROUND_S * _ROUNDS:
            break
    return float(least[id(reference)] / least[id(candidate)])
