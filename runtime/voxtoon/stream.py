"""A call as it goes on: a first face early, better ones as speech goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import CheckError, InputError
from .face import Face
from .pcm import Chunk, PcmInput
from .resample import MODEL_RATE_HZ, Resampler
from .settling import Settling, angle_deg
from .speech import WINDOW_SAMPLES, is_reached

if TYPE_CHECKING:
    from .pipeline import Pipeline

State = Literal["listening", "draft", "stable", "failed"]

TIME_TOLERANCE_S = 0.008
"""A chunk whose time is nearer than this to the end of the last one follows it: less than any packet."""
LONGEST_GAP_S = 3.0
"""So much of a longer gap is heard as silence, after which every talk has ended; the rest is skipped."""


@dataclass(frozen=True, eq=False)
class Update:
    """A new face of a call.

    Attributes
    ----------
    face
        With its confidence and seconds of speech.
    state
        Of the call now.
    heard_s
        Seconds of the call so far.
    angle_deg
        Between the features of this face and of the update before; None for the first.
    second_voice
        Whether somebody else was heard since the update before. The face is still that of the whole call:
        `CallStream.reset` begins anew.
    final
        Whether the call has ended.
    """

    face: Face
    state: State
    heard_s: float
    angle_deg: float | None = None
    second_voice: bool = False
    final: bool = False

    def to_json(self) -> dict[str, Any]:
        """What a program wants to know of it, without arrays of pixels."""
        return {
            "heard_s": round(self.heard_s, 3),
            "state": self.state,
            "final": self.final,
            "angle_deg": None if self.angle_deg is None else round(self.angle_deg, 2),
            "second_voice": self.second_voice,
            **self.face.to_json(),
        }


class CallStream:
    """Hears a call and gives an update for each further stretch of speech; memory does not grow with it.

    However the call is cut into chunks, the updates are the same. Chunks may come from any thread: one waits
    for the other, no longer than its work takes, and the thread that pushes does the work. `BackgroundCall`
    is for threads that must not.

    Parameters
    ----------
    pipeline
        What to hear with.
    sample_rate
        Of the chunks, in hertz.
    encoding, channels, channel
        Of the chunks, see `PcmInput`.
    update_every_speech_s
        Seconds of speech, not of time, between two updates: nothing is computed while nobody speaks.
    first_update_speech_s
        Seconds of speech before the first update; both to the nearest window of 32 ms.
    exaggeration
        As in `Pipeline.decode`.

    Raises
    ------
    InputError
        When the rate is not from 4,000 to 384,000 Hz, a number of seconds is not above 0, or there is no such
        encoding or channel.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        sample_rate: int,
        encoding: str | None = None,
        channels: int = 1,
        channel: int = 0,
        update_every_speech_s: float = 0.5,
        first_update_speech_s: float = 1.0,
        exaggeration: float = 0.0,
    ) -> None:
        for name, value in (
            ("update_every_speech_s", update_every_speech_s),
            ("first_update_speech_s", first_update_speech_s),
        ):
            if not value > 0:
                raise InputError(name, got=value, expected="above 0 s")
        self._pipeline = pipeline
        self._input = PcmInput(encoding=encoding, channels=channels, channel=channel)
        self._resampler = Resampler(from_hz=sample_rate)
        self._listener = pipeline.call_listener()
        self._every_s = update_every_speech_s
        self._first_s = first_update_speech_s
        self._exaggeration = exaggeration
        self._lock = threading.Lock()
        self._closed = False
        self._state: State = "listening"
        self._forget()

    @property
    def state(self) -> State:
        """``listening`` before the first face worth showing, then ``draft``, and ``stable`` once it settles.

        See `Settling`; a stable face may become a draft again. ``failed`` when the engine failed in the
        middle of the call: only `reset` goes on from there.
        """
        return self._state

    @property
    def heard_s(self) -> float:
        """Seconds of the call so far: what was pushed and skipped, less what the resampler still holds."""
        return self._listener.samples / MODEL_RATE_HZ + self._skipped_s

    @property
    def speech_s(self) -> float:
        """Seconds of speech in them."""
        return self._listener.speech_s

    def seconds_in(self, chunk: Chunk) -> float:
        """How long a chunk is, in seconds, at the rate of the last one."""
        return self._input.samples_in(chunk) / self._resampler.from_hz

    def push(
        self, chunk: Chunk, *, at_s: float | None = None, sample_rate: int | None = None
    ) -> list[Update]:
        """Hear the next samples of the call.

        Parameters
        ----------
        chunk
            Any number of samples, see `PcmInput.push`.
        at_s
            When the chunk begins, in seconds since the call began, by the clock that sampled it (of RTP: its
            timestamp, not its arrival). What is missing before it is heard as silence and what was heard
            already is left out, so that a clock that drifts is followed. None: right after the last chunk.
        sample_rate
            Of this chunk and those after it, in hertz, where it is not what it was. The call goes on; only
            the resampler begins anew.

        Returns
        -------
        list of Update
            One for each that became due; mostly none.

        Raises
        ------
        InputError
            When chunk, time or rate is none, or the stream is closed. Nothing of such a chunk is heard, and
            the call goes on.
        CheckError
            When the engine fails, or has failed.
        """
        with self._lock:
            self._check_usable()
            if at_s is not None and not 0 <= at_s < float("inf"):
                raise InputError("at_s", got=at_s, expected="seconds since the call began")
            resampler = self._resampler
            if sample_rate is not None and sample_rate != resampler.from_hz:
                resampler = Resampler(from_hz=sample_rate)
            samples = self._input.push(chunk)
            with self._failing():
                updates = [] if resampler is self._resampler else self._hear(self._resampler.flush())
                self._resampler = resampler
                return updates + self._hear(resampler.push(self._placed(samples, at_s)))

    def flush(self) -> Update | None:
        """End the call: an update with the face of all of it, or None when nothing was pushed.

        The next push starts a new call; `state` stays that of the face until then.
        """
        with self._lock:
            self._check_usable()
            with self._failing():
                # Updates that the last samples would make due are not given apart: this face is newer.
                self._listener.push(self._resampler.flush())
                update = self._update(final=True) if self._listener.samples else None
            self._forget()
            return update

    def reset(self) -> None:
        """Forget the call; also one that failed."""
        with self._lock:
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
        self._input.reset()
        self._resampler.reset()
        self._listener.reset()
        self._settling = Settling()
        self._voices_told = 0
        self._fed_s = 0.0
        self._skipped_s = 0.0
        self._due_s = self._first_s
        self._last: Face | None = None

    def _check_usable(self) -> None:
        if self._closed:
            raise InputError("the stream is closed", hint="open another one")
        if self._state == "failed":
            raise CheckError("the engine failed in the middle of this call", hint="reset() starts anew")

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What breaks off here leaves the call between two states: it has failed then."""
        try:
            yield
        except BaseException as error:
            self._state = "failed"
            if not isinstance(error, Exception):
                raise
            raise CheckError(
                "the engine failed in the middle of a call", got=error, hint="reset() starts anew"
            ) from error

    def _placed(self, samples: NDArray[np.float32], at_s: float | None) -> NDArray[np.float32]:
        """The samples with the silence that is missing before them, or without what was heard already."""
        rate_hz = self._resampler.from_hz
        missing_s = 0.0 if at_s is None else at_s - self._fed_s
        self._fed_s += len(samples) / rate_hz
        if abs(missing_s) < TIME_TOLERANCE_S:
            return samples
        self._fed_s += max(missing_s, -len(samples) / rate_hz)
        if missing_s < 0:
            return samples[round(-missing_s * rate_hz) :]
        heard_s = min(missing_s, LONGEST_GAP_S)
        self._skipped_s += missing_s - heard_s
        return np.concatenate([np.zeros(round(heard_s * rate_hz), np.float32), samples])

    def _hear(self, samples: NDArray[np.float32]) -> list[Update]:
        """Step through the detector's windows, so that updates fall on the same samples for any chunks."""
        updates = []
        while len(samples):
            step = WINDOW_SAMPLES - self._listener.samples % WINDOW_SAMPLES
            self._listener.push(samples[:step])
            samples = samples[step:]
            if is_reached(self._listener.speech_s, self._due_s):
                updates.append(self._update())
                self._due_s = self._listener.speech_s + self._every_s
        return updates

    def _update(self, *, final: bool = False) -> Update:
        face = self._pipeline.face_of(self._listener.heard(), exaggeration=self._exaggeration)
        settled = self._settling.settled(face.feature, speech_s=face.speech_s)
        if not face.is_confident:
            self._state = "listening"
        else:
            self._state = "stable" if settled else "draft"
        last, self._last = self._last, face
        voices, self._voices_told = self._voices_told, self._listener.other_voices
        return Update(
            face=face,
            state=self._state,
            heard_s=self.heard_s,
            angle_deg=None if last is None else angle_deg(face.feature, last.feature),
            second_voice=self._voices_told > voices,
            final=final,
        )
