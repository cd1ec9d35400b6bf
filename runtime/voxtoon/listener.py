"""What is heard of a voice, in bounded memory: features of the few windows that hold the most speech."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .confidence import LEAST_SPEECH_S, domain_descriptor, sound_seconds
from .front_end import tile_clip
from .speech import SAMPLE_RATE_HZ, WINDOW_SAMPLES, is_narrowband
from .speech_gate import SpeechGate

KEPT_S = 30
"""Seconds of windows that are remembered; more speech changes the mean feature little."""


@dataclass(frozen=True)
class Heard:
    """What a face is made from.

    Attributes
    ----------
    feature, descriptor
        Means over the windows, weighted by their speech: [D], and see `domain_descriptor`.
    speech_s, sound_s
        Seconds of speech, and of anything louder than silence, in all that was heard.
    narrowband
        Whether most of the speech came through a telephone line.
    """

    feature: NDArray[np.float32]
    descriptor: NDArray[np.float64]
    speech_s: float
    sound_s: float
    narrowband: bool


@dataclass(frozen=True)
class _Window:
    feature: NDArray[np.float32]
    descriptor: NDArray[np.float64]
    speech_s: float
    narrowband: bool


class Listener:
    """Hears a 16 kHz signal in consecutive windows of one clip and remembers the best of them.

    A signal no longer than a clip is one window, repeated up to the clip's length as the paper does; so is
    the unfinished window at the end of a longer one. Windows with less than a second of speech, or less than
    half of a window where that is shorter, count only where there is no other. However the signal is cut into
    calls, what was heard is the same.

    Parameters
    ----------
    gate
        Finds the speech.
    encode
        From a clip, float32 [clip_samples], to its feature, float32 [D].
    clip_samples
        Length of a window.
    """

    def __init__(
        self,
        *,
        gate: SpeechGate,
        encode: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        clip_samples: int,
    ) -> None:
        self._gate = gate
        self._encode = encode
        self._clip = np.empty(clip_samples, np.float32)
        self._kept_windows = max(1, KEPT_S * SAMPLE_RATE_HZ // clip_samples)
        self._least_speech_s = min(LEAST_SPEECH_S, clip_samples / SAMPLE_RATE_HZ / 2)
        self.reset()

    other_voices = 0
    """Times that somebody else began to speak: windows are too long to tell."""

    def reset(self) -> None:
        """Forget what was heard."""
        self._gate.reset()
        self._best: list[_Window] = []
        self._filled = 0
        self._closed_sound_s = 0.0
        # Counted in the gate's stretches of 32 ms: sums of seconds would depend on how the signal is cut.
        self._speech_stretches = 0
        self._window_stretches = 0
        self.samples = 0

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all that was heard."""
        return seconds(self._speech_stretches)

    def push(self, samples: NDArray[np.float32]) -> None:
        """Hear some more samples, any number of them, at 16 kHz."""
        self.samples += len(samples)
        while len(samples):
            taken = samples[: len(self._clip) - self._filled]
            samples = samples[len(taken) :]
            self._clip[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            # A stretch that straddles two windows belongs to the one it ends in.
            stretches = int(self._gate.push(taken).sum())
            self._window_stretches += stretches
            self._speech_stretches += stretches
            if self._filled == len(self._clip):
                self._close_window()

    def heard(self) -> Heard:
        """What was heard so far, the unfinished window included.

        At least one sample must have been pushed.
        """
        unfinished = self._clip[: self._filled]
        windows = self._best
        if self._window_stretches > 0:
            windows = self._best_of([*windows, self._listen(unfinished)])
        chosen = [window for window in windows if window.speech_s >= self._least_speech_s] or windows
        if not chosen:  # nobody spoke: still a face, of no confidence
            chosen = [self._listen(unfinished if self._filled else self._clip)]
        weights = np.array([window.speech_s for window in chosen]) if windows else np.ones(1)
        weights = weights / weights.sum()
        return Heard(
            feature=np.asarray(weights @ np.stack([window.feature for window in chosen]), np.float32),
            descriptor=weights @ np.stack([window.descriptor for window in chosen]),
            speech_s=self.speech_s,
            sound_s=self._closed_sound_s + sound_seconds(unfinished),
            narrowband=bool(weights @ [window.narrowband for window in chosen] > 0.5),
        )

    def _close_window(self) -> None:
        self._closed_sound_s += sound_seconds(self._clip)
        full = len(self._best) == self._kept_windows
        if seconds(self._window_stretches) > (self._best[-1].speech_s if full else 0.0):
            self._best = self._best_of([*self._best, self._listen(self._clip)])
        self._filled = 0
        self._window_stretches = 0

    def _listen(self, samples: NDArray[np.float32]) -> _Window:
        clip = tile_clip(samples, clip_samples=len(self._clip))
        return _Window(
            feature=self._encode(clip),
            descriptor=domain_descriptor(clip),
            speech_s=seconds(self._window_stretches),
            narrowband=is_narrowband(clip),
        )

    def _best_of(self, windows: list[_Window]) -> list[_Window]:
        """The windows with the most speech, most first; of equal ones the earlier."""
        return sorted(windows, key=lambda window: -window.speech_s)[: self._kept_windows]


def seconds(stretches: int) -> float:
    """Length of so many stretches of 32 ms."""
    return stretches * WINDOW_SAMPLES / SAMPLE_RATE_HZ
