"""When a face has settled: its feature has stopped moving."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

STABLE_SPEECH_S = 3.0
STABLE_ANGLE_DEG = 8.0
LOOK_BACK_SPEECH_S = 1.0


class Settling:
    """Follows the features of a call.

    A feature has settled when at least `STABLE_SPEECH_S` of speech were heard and it lies within an
    angle of every feature of the last `LOOK_BACK_SPEECH_S` of speech and of the one before
    them. `python -m benchmarks.anytime` measures on real voices what that is worth.

    Parameters
    ----------
    most_deg
        The angle within which it lies.
    """

    def __init__(self, *, most_deg: float = STABLE_ANGLE_DEG) -> None:
        self._most_deg = most_deg
        self._past: deque[tuple[float, NDArray[np.float32]]] = deque()

    def settled(self, feature: NDArray[np.float32], *, speech_s: float) -> bool:
        """Whether this feature, heard after so much speech, is one that has settled; it is remembered."""
        past = self._past
        while len(past) > 1 and past[1][0] <= speech_s - LOOK_BACK_SPEECH_S:
            past.popleft()
        far_enough = bool(past) and past[0][0] <= speech_s - LOOK_BACK_SPEECH_S
        near = all(angle_deg(feature, earlier) <= self._most_deg for _, earlier in past)
        past.append((speech_s, feature))
        return far_enough and near and speech_s >= STABLE_SPEECH_S


def angle_deg(first: ArrayLike, second: ArrayLike) -> float:
    """Angle between two features, in degrees; 0 where one of them is zero."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    sizes = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(a @ b / sizes, -1.0, 1.0)))) if sizes else 0.0
