"""An encoder that takes its frames as they come and remembers where it is: no frame is computed twice.

If its convolutions are not padded in time, what it has made of a stream at any moment is what the encoder
makes of the same frames as one recording, up to rounding. With padding it lacks the few outputs that see the
padding after the last frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .engines import DType, Session
from .errors import InputError
from .integer_state import zeros_of
from .manifest import Manifest, TensorSpec

Array = NDArray[np.float32]


@dataclass(frozen=True)
class StreamingSpec:
    """What is known of a streaming encoder without loading it.

    Parameters
    ----------
    frames_per_step
        Frames that a call of the step takes.
    lead_frames
        How many of the first call's lie before the recording.
    first_output_frames
        Frames that the first output sees, and so the least a feature can be made of.
    stride_frames
        Frames from one output to the next.
    frame_shape, output_shape
        ``(frequency, channel)`` of a frame and of an output.
    states
        Every input but the frames, and its shape.
    """

    frames_per_step: int
    lead_frames: int
    first_output_frames: int
    stride_frames: int
    frame_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    states: Mapping[str, tuple[int, ...]]

    @classmethod
    def from_manifest(cls, manifest: Manifest) -> StreamingSpec | None:
        """Return what a bundle says of its streaming encoder; None where it has none."""
        streaming = manifest.streaming
        if streaming is None:
            return None
        inputs = {item.name: _sizes(item) for item in manifest.part(streaming.step).inputs}
        outputs = {item.name: _sizes(item) for item in manifest.part(streaming.step).outputs}
        return cls(
            frames_per_step=streaming.frames_per_call,
            lead_frames=streaming.lead_frames,
            first_output_frames=streaming.first_output_frames,
            stride_frames=streaming.stride_frames,
            frame_shape=inputs.pop("frames")[2:],
            output_shape=outputs["trunk"][2:],
            states=inputs,
        )

    def output_count(self, frames: int) -> int:
        """Outputs that so many frames complete."""
        return max(0, (frames - self.first_output_frames) // self.stride_frames + 1)


@dataclass(frozen=True)
class StreamState:
    """Where a stream is; nothing in it is ever written to.

    Parameters
    ----------
    frames
        Frames that came.
    count, total
        Number of outputs so far, and their sum, float64.
    pending
        Frames that do not fill a call yet.
    states
        What the next call of the step is given.
    """

    frames: int
    count: int
    total: NDArray[np.float64]
    pending: Array = field(repr=False)
    states: Mapping[str, NDArray[Any]] = field(repr=False)


class StreamingEncoder:
    """Runs the parts ``encoder_step`` and ``head`` on one stream; its memory does not grow.

    The sessions may serve any number of encoders at once.

    Parameters
    ----------
    step, head
        Loaded artefacts of the two parts; no head where outputs are wanted and no features.
    spec
        What they were made with.

    Attributes
    ----------
    spec
        As given.
    state
        A `StreamState`, replaced by every push and never changed. To roll back, set it to what it was.
    """

    def __init__(self, step: Session, head: Session | None, spec: StreamingSpec) -> None:
        self._step, self._head, self.spec = step, head, spec
        self._known: tuple[NDArray[np.float64], Array] | None = None
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        spec = self.spec
        self.state = StreamState(
            frames=0,
            count=0,
            total=np.zeros(spec.output_shape),
            pending=np.zeros((spec.lead_frames, *spec.frame_shape), np.float32),
            states={name: zeros_of(self._step, name, shape) for name, shape in spec.states.items()},
        )

    def clone(self) -> StreamingEncoder:
        """Return another encoder at the same place of the same stream, on the same sessions."""
        other = StreamingEncoder(self._step, self._head, self.spec)
        other.state = self.state
        return other

    @property
    def due_frames(self) -> int:
        """Frames of the stream with which the next call of the step is full: no output comes before."""
        return self.state.frames + self.spec.frames_per_step - len(self.state.pending)

    def push(self, frames: ArrayLike) -> Array:
        """Take some frames.

        Parameters
        ----------
        frames
            [n, frequency, channel], n >= 0. However a stream is cut into calls, the outputs are the same.

        Returns
        -------
        float32 [m, frequency, channel]
            The outputs before the mean over time that these frames complete. Where a step makes several, they
            come when the last of them is complete.

        Raises
        ------
        InputError
            When the frames have another shape or are not finite. Then, and when the engine fails, it is as
            if nothing had been pushed.
        """
        before, size = self.state, self.spec.frames_per_step
        new = self._checked(frames)
        queue = np.concatenate([before.pending, new])
        states, total, outputs = (
            before.states,
            before.total,
            [np.empty((0, *self.spec.output_shape), np.float32)],
        )
        for start in range(0, len(queue) - size + 1, size):
            made, states = self._call(queue[start : start + size], states)
            total = _added(total, made)
            outputs.append(made)
        emitted = np.concatenate(outputs)
        self.state = StreamState(
            frames=before.frames + len(new),
            count=before.count + len(emitted),
            total=total,
            pending=queue[len(queue) // size * size :].copy(),
            states=states,
        )
        return emitted

    def feature(self) -> Array:
        """Return what the encoder makes of all frames so far, [D], as if the recording ended here.

        As long as no output has come since it was last asked for, this costs nothing.

        Raises
        ------
        InputError
            When fewer frames came than one output sees.
        """
        state = self.state
        missing = self.spec.output_count(state.frames) - state.count
        total, count = state.total, state.count
        if missing > 0:  # complete, but in a call that is not full: its other outputs see zeros, and are left
            rest = np.zeros((self.spec.frames_per_step, *self.spec.frame_shape), np.float32)
            rest[: len(state.pending)] = state.pending
            made = self._call(rest, state.states)[0][:missing]
            total, count = _added(total, made), count + len(made)
        if count == 0:
            raise InputError(
                "too short for a feature",
                got=f"{state.frames} frames",
                expected=f"at least {self.spec.first_output_frames}",
            )
        if self._known is None or self._known[0] is not total:
            self._known = total, self.feature_of(total / count)
        return self._known[1].copy()

    def feature_of(self, mean: ArrayLike) -> Array:
        """Return what the head makes of a mean of outputs, [frequency, channel], to [D].

        Raises
        ------
        InputError
            The stream was begun without a head.
        """
        if self._head is None:
            raise InputError("a stream without a head has no feature", hint="give it one")
        outputs = np.asarray(mean, np.float32)[np.newaxis, np.newaxis]
        return np.asarray(self._head.run({"mean": outputs})["feature"][0], np.float32)

    def flush(self) -> Array:
        """End the stream: return its feature and start anew; errors are those of `feature`."""
        feature = self.feature()
        self.reset()
        return feature

    def _call(
        self, frames: Array, states: Mapping[str, NDArray[Any]]
    ) -> tuple[Array, dict[str, NDArray[Any]]]:
        found = self._step.run({"frames": frames[np.newaxis], **states})
        return found["trunk"][0, found["valid"][0] > 0], {name: found[f"next_{name}"] for name in states}

    def _checked(self, frames: ArrayLike) -> Array:
        array = np.asarray(frames, np.float32)
        if array.shape[1:] != self.spec.frame_shape:
            expected = ", ".join(map(str, self.spec.frame_shape))
            raise InputError("frames", got=f"shape {array.shape}", expected=f"[n, {expected}]")
        if not np.isfinite(array).all():
            raise InputError("frames hold values that are not finite", hint="look at what made them")
        return array


class _OfClips:
    """What a session made of a step says of itself when it takes whole clips."""

    step: Session

    @property
    def engine(self) -> str:
        """Of the step."""
        return self.step.engine

    @property
    def precision(self) -> str:
        """Of the step."""
        return self.step.precision

    @property
    def input_types(self) -> dict[str, DType]:
        """Of a clip."""
        return {"frames": np.dtype(np.float32)}


@dataclass(frozen=True)
class StreamedSession(_OfClips):
    """Step and head as one session that takes a whole clip, as the encoder does: ``frames`` to ``feature``.

    Whatever runs or checks an encoder can so run or check the two parts in its place.
    """

    step: Session
    head: Session
    spec: StreamingSpec

    def stream(self) -> StreamingEncoder:
        """Begin a stream."""
        return StreamingEncoder(self.step, self.head, self.spec)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Stream the clip, [1, n, frequency, channel], from its beginning."""
        stream = self.stream()
        stream.push(inputs["frames"][0])
        return {"feature": stream.feature()[np.newaxis]}


@dataclass(frozen=True)
class SteppedClip(_OfClips):
    """A step as a session that takes a whole clip: ``frames`` to ``trunk``, every valid output of every call.

    It pushes one frame less than a call takes, so that the frames that wait are as many as they can be.
    """

    step: Session
    spec: StreamingSpec

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Stream the clip, [1, n, frequency, channel], from its beginning."""
        stream, frames = StreamingEncoder(self.step, None, self.spec), inputs["frames"][0]
        chunk = max(1, self.spec.frames_per_step - 1)
        outputs = [stream.push(frames[start : start + chunk]) for start in range(0, len(frames), chunk)]
        return {"trunk": np.concatenate(outputs)[np.newaxis]}


def _added(total: NDArray[np.float64], outputs: Array) -> NDArray[np.float64]:
    """Return the sum; the very same array where there is nothing to add, by which `feature` knows."""
    return total + outputs.sum(axis=0, dtype=np.float64) if len(outputs) else total


def _sizes(tensor: TensorSpec) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape)
