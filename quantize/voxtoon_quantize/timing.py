"""How long sessions take, and how much faster one is than another.

Of sessions of one thread the thread's own time is counted, not the clock's: what else the machine does is
none of theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from voxtoon.engines import Session

    from .formats import Inputs

_ROUNDS: Final = 15
_LEAST_S: Final = 0.05  # of one session; what is quick is run more often
_MOST_S: Final = 15.0  # what is slow less often


def speed_ratio(
    reference: Session, candidate: Session, inputs: Inputs, candidate_inputs: Inputs | None = None
) -> float:
    """Return how many times faster a candidate is: they take turns, and the fastest run of each counts.

    A candidate whose state is of another type has inputs of its own.
    """
    sessions = [(reference, inputs), (candidate, candidate_inputs or inputs)]
    reference_s, candidate_s = _fastest_s(sessions, clock=time.thread_time)
    return reference_s / candidate_s


def wall_ratio(reference: Session, candidate: Session, inputs: Inputs) -> float:
    """As `speed_ratio` by the clock, for sessions of several threads; the machine should be doing no more."""
    reference_s, candidate_s = _fastest_s([(reference, inputs), (candidate, inputs)], clock=time.perf_counter)
    return reference_s / candidate_s


def run_ms(session: Session, inputs: Inputs) -> float:
    """Return the milliseconds of the fastest of some runs."""
    return 1000.0 * _fastest_s([(session, inputs)], clock=time.thread_time)[0]


def _fastest_s(sessions: list[tuple[Session, Inputs]], *, clock: Callable[[], float]) -> list[float]:
    took_s: list[list[float]] = [[] for _ in sessions]
    spent_s = 0.0
    while (rounds := len(took_s[0])) < 2 or spent_s < len(sessions) * (
        _LEAST_S if rounds >= _ROUNDS else _MOST_S
    ):
        for (session, inputs), runs in zip(sessions, took_s, strict=True):
            start = clock()
            session.run(inputs)
            runs.append(clock() - start)
        spent_s = sum(map(sum, took_s))
    return [min(runs) for runs in took_s]
