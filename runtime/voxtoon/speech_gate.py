"""Speech and nothing else: what the detector takes for speech, without what lasts too short to be any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .speech import SpeechDetector

RUN_STRETCHES = 4
"""Stretches of 32 ms in a row that the detector must take for speech.

Tones, music and noise of a telephone line pass the detector for one to three stretches now and then, which
would add up to speech within minutes on hold. Of real speech, 0.4 % lies in runs as short as that
(`python -m benchmarks.speech_gate`).
"""


class SpeechGate:
    """Counts the stretches of 32 ms that are speech, each when it is certain.

    Parameters
    ----------
    detector
        Gives the probability of speech in each stretch.
    threshold
        Probability from which on a stretch may be speech.
    run_stretches
        How many in a row are speech; 1 for recordings, which are too short for mistakes to add up.
    """

    def __init__(
        self, detector: SpeechDetector, *, threshold: float, run_stretches: int = RUN_STRETCHES
    ) -> None:
        self._detector = detector
        self._threshold = threshold
        self._least = run_stretches
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._detector.reset()
        self._run = 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """How many stretches of speech each stretch that these samples complete makes certain.

        Parameters
        ----------
        samples
            At 16 kHz, any number of them.

        Returns
        -------
        int64 [n], n >= 0
            0 where nobody speaks and while a run is too short; ``run_stretches`` at the stretch that makes a
            run long enough, for it and those before; 1 at each further stretch of it.
        """
        loud = self._detector.push(samples) >= self._threshold
        counts = np.zeros(len(loud), np.int64)
        for index, speaks in enumerate(loud):
            self._run = min(self._run + 1, self._least + 1) if speaks else 0
            if self._run >= self._least:
                counts[index] = self._least if self._run == self._least else 1
        return counts
