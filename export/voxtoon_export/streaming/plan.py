"""What an encoder's layers keep, and wait for, when their frames come one after another.

Everything before the mean over time is a chain of units. A unit sees ``kernel`` frames of its input at a time
and moves by ``stride``; padding is frames of zeros before the first frame and after the last. On a stream its
output t therefore exists as soon as frame ``t * stride + kernel - 1`` of its padded input does, and is, frame
by frame, what a run over the whole recording computes. Only what hangs on the padding after the last frame
has to wait for the end.

Two forms follow from the same units. *Rings*: a unit keeps the less than ``kernel`` frames that its next
output needs. *Steps*: every call brings the same number of frames, so that all shapes are fixed; frames that
do not come out even wait in the state (see `StepRow`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from voxtoon.errors import InputError

from ..layers import (
    BatchNorm,
    Conv2d,
    Layer,
    LeakyRelu,
    MaxPool,
    Relu,
    Rescale,
    Shape,
    Sigmoid,
    Tanh,
    TimeMean,
    ZeroPad,
)
from ..parts import Branch, PartSpec

# Frame by frame, or over a few neighbouring frames; any other layer mixes time with something else.
_STREAMING = (BatchNorm, Conv2d, LeakyRelu, MaxPool, Relu, Rescale, Sigmoid, Tanh, ZeroPad)


@dataclass(frozen=True)
class Unit:
    """A layer and its padding in time.

    Parameters
    ----------
    layer
        The declared layer, its padding in time taken out.
    before, after
        Frames of zeros that it sees before the first frame and after the last.
    frame_shape, output_frame_shape
        ``(frequency, channel)`` of what goes in and comes out.
    """

    layer: Layer
    before: int
    after: int
    frame_shape: Shape
    output_frame_shape: Shape

    @property
    def kernel(self) -> int:
        """Frames that one output sees."""
        return self.layer.first_axis[0]

    @property
    def stride(self) -> int:
        """Frames from one output to the next."""
        return self.layer.first_axis[1]

    def output_count(self, frames: int) -> int:
        """Outputs of so many frames, the padding included that is among them."""
        return max(0, (frames - self.kernel) // self.stride + 1)


def streaming_units(part: PartSpec) -> tuple[Unit, ...]:
    """Derive the units of a part: its layers up to the mean over time.

    Raises
    ------
    InputError
        The part has no mean over time, or a layer before it that cannot be streamed.
    """
    if not part.streamable:
        raise InputError(
            f"{part.name} cannot be streamed", got="no mean over time", expected="convolutions before one"
        )
    units = []
    for step, _ in zip(part.steps(), part.streamable, strict=False):
        layer, before, after = _without_time_padding(step.layer)
        kernel, stride = layer.first_axis
        if not isinstance(layer, _STREAMING) or stride > kernel:
            what = "frames that no output sees" if isinstance(layer, _STREAMING) else "not frame by frame"
            raise InputError(f"{part.name} cannot be streamed", got=f"{type(layer).__name__}: {what}")
        units.append(Unit(layer, before, after, step.input_shape[1:], step.output_shape[1:]))
    return tuple(units)


def output_count(units: tuple[Unit, ...], frames: int, *, ended: bool) -> int:
    """Outputs of the last unit for so many frames; `ended` counts those that see the padding at the end."""
    for unit in units:
        frames = unit.output_count(unit.before + frames + (unit.after if ended else 0))
    return frames


def frames_before_output(units: tuple[Unit, ...], output: int) -> int:
    """Frames that must have come before the last unit can emit an output, counted from 0."""
    for unit in reversed(units):
        output = output * unit.stride + unit.kernel - 1 - unit.before
    return output + 1


def trunk_part(part: PartSpec) -> PartSpec:
    """The part up to its mean over time, as the units compute it: without padding in time.

    Its layers keep their names, and with them their tensors.
    """
    layers = (*(unit.layer for unit in streaming_units(part)), TimeMean())
    return replace(part, trunk=layers, branches=(Branch("trunk", ("time", "frequency", "channel")),))


@dataclass(frozen=True)
class StepRow:
    """A unit in a step: row of the lag table.

    Call p of a step brings the unit its input frames ``[p * frames - lag, (p + 1) * frames - lag)``, counted
    from the first frame of the recording. It keeps the last ``state_frames`` of its padded input.

    Parameters
    ----------
    unit
        The unit.
    frames
        Frames of its input that a call brings.
    lag
        How far they lie behind the newest that a call could bring.
    """

    unit: Unit
    frames: int
    lag: int

    @property
    def output_frames(self) -> int:
        """Frames that a call makes."""
        return self.frames // self.unit.stride

    @property
    def output_lag(self) -> int:
        """How far the output lies behind.

        The least number of frames at which the newest output has all its input, rounded up to the stride; and
        not less than 0, so that no output before the first call is missed where padding alone makes one.
        """
        behind = self.lag - self.unit.before + self.unit.kernel - self.unit.stride
        return max(0, -(-behind // self.unit.stride))

    @property
    def state_frames(self) -> int:
        """Frames of the padded input that the oldest output of the next call reaches back to."""
        return self.output_lag * self.unit.stride - (self.lag - self.unit.before)

    @property
    def masked(self) -> bool:
        """Whether the unit must see padding where calls bring frames from before the recording.

        A mask also tells who reads the artefact that the state at the start is seen: without one no output
        that counts sees it, and the state may be kept in another way.
        """
        return self.unit.before > 0


@dataclass(frozen=True)
class StepPlan:
    """The lag table of a step.

    Parameters
    ----------
    frames
        Frames that a call brings.
    lead_frames
        How many of the first call lie before the recording. They align the calls with the outputs: an output
        comes with the very frame that completes it.
    rows
        One per unit.
    """

    frames: int
    lead_frames: int
    rows: tuple[StepRow, ...]

    @property
    def outputs(self) -> int:
        """Outputs that a call makes."""
        return self.rows[-1].output_frames

    @property
    def lag(self) -> int:
        """Outputs that lie before the recording: the first so many are not valid."""
        return self.rows[-1].output_lag

    def output_count(self, frames: int) -> int:
        """Outputs of the recording that were made once so many of its frames have come."""
        calls = (self.lead_frames + frames) // self.frames
        return max(0, calls * self.outputs - self.lag)

    @property
    def settled_calls(self) -> int:
        """Calls after which no mask makes a difference."""
        lags = [(row.lag, row.frames) for row in self.rows if row.masked]
        return max(-(-lag // frames) for lag, frames in [*lags, (self.lag, self.outputs)])


def step_plan(part: PartSpec, *, frames: int | None = None) -> StepPlan:
    """Compute the lag table of a part's step.

    Parameters
    ----------
    frames
        Frames per call: a multiple of ``part.stride_frames``, which is what it is if not told.

    Raises
    ------
    InputError
        The part cannot be streamed, or the number is no such multiple.
    """
    units = streaming_units(part)
    frames = part.stride_frames if frames is None else frames
    if frames < 1 or frames % part.stride_frames:
        raise InputError("frames of a step", got=frames, expected=f"a multiple of {part.stride_frames}")
    newest = frames_before_output(units, frames // part.stride_frames - 1)
    lead = -newest % frames
    return StepPlan(frames, lead, tuple(_rows(units, frames, lead)))


def _rows(units: tuple[Unit, ...], frames: int, lag: int) -> Iterator[StepRow]:
    for unit in units:
        yield (row := StepRow(unit, frames, lag))
        frames, lag = row.output_frames, row.output_lag


def _without_time_padding(layer: Layer) -> tuple[Layer, int, int]:
    if isinstance(layer, Conv2d):
        time, frequency = layer.padding
        return replace(layer, padding=(0, frequency)), time, time
    if isinstance(layer, ZeroPad):
        (before, low), (after, high) = layer.before, layer.after
        return ZeroPad((0, low), (0, high)), before, after
    return layer, 0, 0
