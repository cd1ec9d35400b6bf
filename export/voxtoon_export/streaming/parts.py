"""The declared parts of a streaming encoder: ``encoder_step``, one call after another, and ``head``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from voxtoon.streaming_encoder import StreamingSpec

from ..layers import Shape
from ..parts import PartSpec, TensorSpec
from .plan import StepPlan, frames_before_output, step_plan, streaming_units, trunk_part

STEP = "encoder_step"
HEAD = "head"
_MAP = ("batch", "time", "frequency", "channel")


@dataclass(frozen=True)
class StepPart:
    """One call of a streaming encoder: frames and state in; outputs, their validity and the next state out.

    Whatever input is not ``frames`` is state: zeros at first, then the output ``next_<name>`` of the call
    before. ``position`` counts calls, as far as that makes a difference.

    Parameters
    ----------
    encoder
        The encoder that it is derived from.
    plan
        Its lag table.
    """

    encoder: PartSpec
    plan: StepPlan
    name: str = STEP
    role: str = "runtime"
    has_time: bool = False
    minimum_frames: int | None = None

    @property
    def states(self) -> tuple[TensorSpec, ...]:
        """State, but for the position."""
        rows = [row for row in self.plan.rows if row.state_frames]
        return tuple(
            TensorSpec(f"state_{number}", _MAP, (1, row.state_frames, *row.unit.frame_shape))
            for number, row in enumerate(rows)
        )

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """``frames`` [1, frames, F, C], ``position`` [1], and the states."""
        frames = TensorSpec("frames", _MAP, (1, self.plan.frames, *self.encoder.input.shape[2:]))
        return (frames, TensorSpec("position", ("batch",), (1,)), *self.states)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """``trunk`` [1, outputs, F, C], ``valid`` [1, outputs] of 0 or 1, and every state's successor."""
        frame = self.plan.rows[-1].unit.output_frame_shape
        return (
            TensorSpec("trunk", _MAP, (1, self.plan.outputs, *frame)),
            TensorSpec("valid", ("batch", "time"), (1, self.plan.outputs)),
            *(TensorSpec(f"next_{item.name}", item.axes, item.shape) for item in self.inputs[1:]),
        )

    @cached_property
    def trunk(self) -> PartSpec:
        """What it computes, as a part whose network has its weights."""
        return trunk_part(self.encoder)

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        return self.trunk.parameters

    def tensor_shapes(self) -> dict[str, Shape]:
        """Every tensor it has, under the encoder's names."""
        return self.trunk.tensor_shapes()

    def macs(self, *, frames: int | None = None) -> int:
        """Multiply-accumulates of one call; `frames` makes no difference."""
        return sum(
            row.unit.layer.macs((row.frames + row.state_frames, *row.unit.frame_shape))
            for row in self.plan.rows
        )

    def streaming_spec(self) -> StreamingSpec:
        """Return what the runtime has to know of it."""
        return StreamingSpec(
            frames_per_step=self.plan.frames,
            lead_frames=self.plan.lead_frames,
            first_output_frames=frames_before_output(streaming_units(self.encoder), 0),
            stride_frames=self.encoder.stride_frames,
            frame_shape=self.plan.rows[0].unit.frame_shape,
            output_shape=self.plan.rows[-1].unit.output_frame_shape,
            states={item.name: tuple(int(size) for size in item.shape) for item in self.inputs[1:]},
        )


def step_part(encoder: PartSpec, *, frames: int | None = None) -> StepPart:
    """Derive the step of an encoder; arguments and errors are those of `step_plan`."""
    return StepPart(encoder, step_plan(encoder, frames=frames))


def head_part(encoder: PartSpec) -> PartSpec:
    """Derive what comes after the mean over time: ``mean`` [1, 1, F, C] to the encoder's outputs.

    Raises
    ------
    InputError
        The encoder cannot be streamed.
    """
    mean = TensorSpec("mean", _MAP, (1, 1, *streaming_units(encoder)[-1].output_frame_shape))
    after_mean = encoder.trunk[len(encoder.streamable) + 1 :]
    return PartSpec(HEAD, mean, after_mean, encoder.branches, encoder.role)
