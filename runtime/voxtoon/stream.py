"""A call as it goes on: a first face early, better ones as speech goes on."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .face import Face
from .resample import MODEL_RATE_HZ, Resampler
from .speech import WINDOW_SAMPLES

if TYPE_CHECKING:
    from .pipeline import Pipeline

State = Literal["listening", "draft", "stable"]

STABLE_SPEECH_S = 3.0
STABLE_MOVE_PX = 0.5
"""Root mean square over the landmarks: an eighth of how far faces lie from the mean face."""
STABLE_CHANGE = 0.02
"""Root mean square over the pixels of a picture without landmarks: five steps of 255."""


class CallStream:
    """Faces of a call, one for each further stretch of speech; memory does not grow with the call.

    However the call is cut into chunks, the faces are the same; and what `flush` returns is the face that
    `Pipeline.reconstruct` makes of the whole call.

    Parameters
    ----------
    pipeline
        What to hear with.
    sample_rate
        Of the chunks, in hertz.
    update_every_speech_s
        Seconds of speech, not of time, between two faces: nothing is computed while nobody speaks.
    first_update_speech_s
        Seconds of speech before the first face.
    exaggeration
        As in `Pipeline.decode`.

    Raises
    ------
    InputError
        When the rate is not from 4,000 to 384,000 Hz, or a number of seconds is not above 0.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        sample_rate: int,
        update_every_speech_s: float,
        first_update_speech_s: float,
        exaggeration: float,
    ) -> None:
        for name, value in (
            ("update_every_speech_s", update_every_speech_s),
            ("first_update_speech_s", first_update_speech_s),
        ):
            if not value > 0:
                raise InputError(name, got=value, expected="above 0 s")
        self._pipeline = pipeline
        self._resampler = Resampler(from_hz=sample_rate)
        self._listener = pipeline.listener()
        self._every_s = update_every_speech_s
        self._first_s = first_update_speech_s
        self._exaggeration = exaggeration
        self._closed = False
        self._state: State = "listening"
        self._expect_first()

    @property
    def state(self) -> State:
        """``listening`` before the first face worth showing, then ``draft``, and ``stable`` once it settles.

        A face settles after 3 s of speech when its landmarks move by less than half a pixel from one update
        to the next, or its picture hardly changes where it has no landmarks; it may become a draft again.
        """
        return self._state

    @property
    def heard_s(self) -> float:
        """Seconds of the call that were heard: what was pushed, less what the resampler still holds."""
        return self._listener.samples / MODEL_RATE_HZ

    @property
    def speech_s(self) -> float:
        """Seconds of speech in them."""
        return self._listener.speech_s

    def push(self, chunk: ArrayLike) -> list[Face]:
        """Hear the next samples of the call.

        Parameters
        ----------
        chunk
            Mono floating-point samples, any number of them.

        Returns
        -------
        list of Face
            One for each update that became due; mostly none.

        Raises
        ------
        InputError
            When the samples are not one-dimensional, not floating-point or not finite, or the stream is
            closed. Nothing of such a chunk is heard.
        """
        self._check_open()
        return self._hear(self._resampler.push(chunk))

    def flush(self) -> Face | None:
        """End the call: the face of all of it, or None when nothing was pushed.

        The next push starts a new call; `state` stays that of the face until then.
        """
        self._check_open()
        # Updates that the last samples would make due are not given apart: this face is newer.
        self._listener.push(self._resampler.flush())
        face = self._update() if self._listener.samples else None
        self._forget()
        return face

    def reset(self) -> None:
        """Forget the call."""
        self._forget()
        self._state = "listening"

    def close(self) -> None:
        """Forget the call and refuse any further chunk. Closing twice is fine."""
        self.reset()
        self._closed = True

    def __enter__(self) -> CallStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self) -> None:
        self._resampler.reset()
        self._listener.reset()
        self._expect_first()

    def _expect_first(self) -> None:
        self._due_s = self._first_s
        self._last: Face | None = None

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("the stream is closed", hint="open another one")

    def _hear(self, samples: NDArray[np.float32]) -> list[Face]:
        """Step through the detector's windows, so that updates fall on the same samples for any chunks."""
        faces = []
        while len(samples):
            step = WINDOW_SAMPLES - self._listener.samples % WINDOW_SAMPLES
            self._listener.push(samples[:step])
            samples = samples[step:]
            if self._listener.speech_s >= self._due_s:
                faces.append(self._update())
                self._due_s = self._listener.speech_s + self._every_s
        return faces

    def _update(self) -> Face:
        face = self._pipeline.face_of(self._listener.heard(), exaggeration=self._exaggeration)
        settled = self._last is not None and _stands_still(face, self._last)
        if not face.is_confident:
            self._state = "listening"
        else:
            self._state = "stable" if settled and face.speech_s >= STABLE_SPEECH_S else "draft"
        self._last = face
        return face


def _stands_still(face: Face, before: Face) -> bool:
    """Whether a face has hardly changed: its landmarks or, where it has none, its picture."""
    if face.landmarks is None or before.landmarks is None:
        return float(np.square(face.image - before.image).mean()) < STABLE_CHANGE**2
    moves_px = face.landmarks - before.landmarks
    return float(np.square(moves_px).sum(axis=1).mean()) < STABLE_MOVE_PX**2
