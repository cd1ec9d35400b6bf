"""The two parts that are the encoder on a stream: what they are calibrated on, and how they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.integer_state import IntegerStateSession
from voxtoon.streaming_encoder import SteppedClip, StreamedSession, StreamingEncoder, StreamingSpec
from voxtoon_export.evaluation.figures import angles_deg

if TYPE_CHECKING:
    from voxtoon.engines import Arrays, Session
    from voxtoon.manifest import Manifest

    from .formats import Inputs

Frames = NDArray[np.float32]
_FRAMES_PER_S: Final = 100
MINUTES: Final = 10
"""Length of the call over which a quantized encoder must not drift."""


@dataclass(frozen=True)
class Streamed:
    """Step and head of a bundle.

    Attributes
    ----------
    step, head
        Names of the parts.
    spec
        What the runtime knows of them.
    """

    step: str
    head: str
    spec: StreamingSpec

    @classmethod
    def of(cls, manifest: Manifest) -> Streamed | None:
        """Return those of a bundle; None where it has none."""
        spec = StreamingSpec.from_manifest(manifest)
        if spec is None or manifest.streaming is None:
            return None
        return cls(manifest.streaming.step, manifest.streaming.head, spec)

    @property
    def names(self) -> tuple[str, str]:
        """Of the parts."""
        return self.step, self.head

    def encoder(self, sessions: Mapping[str, Session]) -> StreamedSession:
        """Return both as one session that takes a clip."""
        return StreamedSession(sessions[self.step], sessions[self.head], self.spec)

    def over_clip(self, name: str, sessions: Mapping[str, Session]) -> Session:
        """Return the step, or the head with the step before it, as a session that takes a clip."""
        if name == self.head:
            return self.encoder(sessions)
        return SteppedClip(sessions[self.step], self.spec)

    def heard(self, step: Session, frames: Frames) -> tuple[list[Inputs], Inputs]:
        """Run a step over a clip, ``[1, n, F, C]``, as a call would.

        Returns
        -------
        tuple
            The inputs of every call that made an output that counts: what others are made of may come from
            before the recording, and says nothing of voices. And the input of the head.
        """
        recorder = _Recorder.around(step)
        stream = StreamingEncoder(recorder, None, self.spec)
        stream.push(frames[0])
        mean = (stream.state.total / max(1, stream.state.count)).astype(np.float32)
        return recorder.calls, {"mean": mean[np.newaxis, np.newaxis]}

    def drift_deg(
        self, reference: Mapping[str, Session], candidate: Mapping[str, Session], clips: Sequence[Frames]
    ) -> float:
        """Return by how much more the feature is turned in the last of ten minutes than in the first.

        Parameters
        ----------
        reference, candidate
            Sessions of both parts.
        clips
            Frames of voices, ``[1, n, F, C]``, enough for a minute or said again. The call goes on, but each
            of its minutes is the same, so that nothing but what was kept can make a difference.
        """
        minute = self._minute(clips)
        wanted, found = (self._features(sessions, minute) for sessions in (reference, candidate))
        first, last = angles_deg(wanted, found)
        return float(last - first)

    def _minute(self, clips: Sequence[Frames]) -> Frames:
        """Frames of a minute, in whole steps from output to output."""
        said = np.concatenate([clip[0] for clip in clips])
        count = 60 * _FRAMES_PER_S // self.spec.stride_frames * self.spec.stride_frames
        return np.resize(said, (count, *said.shape[1:]))

    def _features(self, sessions: Mapping[str, Session], minute: Frames) -> Frames:
        """The features of the first and the last minute of a call, of the outputs that see no other."""
        stream = self.encoder(sessions).stream()
        outputs = np.concatenate([stream.push(minute) for _ in range(MINUTES)])
        within = self.spec.output_count(len(minute))
        last = (MINUTES - 1) * (len(minute) // self.spec.stride_frames)
        means = [outputs[start : start + within].mean(axis=0, dtype=np.float64) for start in (0, last)]
        return np.stack([stream.feature_of(mean) for mean in means])


@dataclass(frozen=True)
class _Recorder(IntegerStateSession):
    """A step that keeps what it was given, wherever an output that counts came of it."""

    calls: list[Inputs] = field(default_factory=list)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        found = self.session.run(inputs)
        if (found["valid"] > 0).any():
            self.calls.append(dict(inputs))
        return found
