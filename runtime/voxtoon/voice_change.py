"""Noticing that somebody else speaks: the encoder's outputs point elsewhere."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from .settling import angle_deg

CHANGE_ANGLE_DEG = 58.0
"""Measured for the embedded model by `python -m benchmarks.second_voice`; other encoders need their own."""
RECENT_OUTPUTS = 4
LEAST_PAST_OUTPUTS = 2
LEAST_SPEECH_SHARE = 0.5


class VoiceChange:
    """Compares the last outputs of a streaming encoder, before its mean over time, with all before them.

    Another voice is noticed when the mean of the last `RECENT_OUTPUTS` (4.5 s for Speech2Face) lies more than
    `CHANGE_ANGLE_DEG` from the mean of those before; they are what further ones are compared with then. It
    tells that voices differ, and never whose they are. Memory does not grow.

    Attributes
    ----------
    count
        How often another voice was noticed.
    """

    def __init__(self) -> None:
        self.count = 0
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=RECENT_OUTPUTS)
        self._past: NDArray[np.float32] | float = 0.0
        self._past_outputs = 0

    def add(self, output: NDArray[np.float32], *, speech_share: float) -> None:
        """Hear the next output, which saw so much speech; outputs of little speech tell nothing."""
        if speech_share < LEAST_SPEECH_SHARE:
            return
        if len(self._recent) == RECENT_OUTPUTS:
            self._past = self._past + self._recent[0]
            self._past_outputs += 1
        self._recent.append(output.ravel())
        if self._past_outputs < LEAST_PAST_OUTPUTS:
            return
        if angle_deg(np.sum(self._recent, axis=0), self._past) > CHANGE_ANGLE_DEG:
            self.count += 1
            self._past, self._past_outputs = np.sum(self._recent, axis=0), RECENT_OUTPUTS
            self._recent.clear()
