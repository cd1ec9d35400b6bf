"""Parts as data: a named input, a trunk of layers, and a branch to every named output.

All that can be known without running a network is computed here: shapes, tensors, parameters,
multiplications, and how its output steps over time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from voxtoon.errors import InputError

from .layers import Layer, Named, Shape, TimeMean


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output.

    Parameters
    ----------
    name
        Its name in every artefact.
    axes
        The name of each axis, ``batch`` first.
    shape
        The size of each axis; an axis of any size has its own name instead.
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int | str, ...]
    dtype: str = "float32"

    def to_json(self) -> dict[str, object]:
        """The entry of a manifest."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype, "axes": list(self.axes)}


@dataclass(frozen=True)
class Branch:
    """The way from the trunk to one named output; ``axes`` names the output's axes, without the batch."""

    output: str
    axes: tuple[str, ...]
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Step:
    """One layer in its place: the shapes it sees and makes."""

    layer: Layer
    input_shape: Shape
    output_shape: Shape

    def weight_shapes(self) -> dict[str, Shape]:
        """Shapes of the layer's trained tensors."""
        return self.layer.weight_shapes(self.input_shape)

    def tensor_shapes(self) -> dict[str, Shape]:
        """Shapes of all the layer's tensors, trained or kept."""
        return {**self.weight_shapes(), **self.layer.buffer_shapes(self.input_shape)}


@dataclass(frozen=True)
class PartSpec:
    """One network: an input, a trunk, and a branch for every output.

    Parameters
    ----------
    name
        ``encoder``, ``decoder``, ...
    input
        The input; at most its second axis is of any size.
    trunk
        Layers that all outputs share.
    branches
        One per output, each starting at the end of the trunk.
    role
        ``runtime`` for what runs on the device, ``evaluation`` for what only judges it.
    """

    name: str
    input: TensorSpec
    trunk: tuple[Layer, ...]
    branches: tuple[Branch, ...]
    role: str = "runtime"

    @property
    def has_time(self) -> bool:
        """Whether the input is of any length."""
        return isinstance(self.input.shape[1], str)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs, as a manifest lists them."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs, in the order of the branches."""
        return tuple(
            TensorSpec(branch.output, ("batch", *branch.axes), (1, *shape))
            for branch, shape in zip(self.branches, self._branch_ends(), strict=True)
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers: the trunk's, then those of each branch."""
        return (*self.trunk, *(layer for branch in self.branches for layer in branch.layers))

    @property
    def streamable(self) -> tuple[Layer, ...]:
        """The layers before the mean over time: those whose output grows with the input."""
        kinds = [type(layer) for layer in self.trunk]
        return self.trunk[: kinds.index(TimeMean)] if TimeMean in kinds else ()

    @property
    def minimum_frames(self) -> int:
        """Frames that one step before the mean over time sees, and so the least an input may have."""
        frames = 1
        for layer in reversed(self.streamable):
            kernel, stride = layer.first_axis
            frames = (frames - 1) * stride + kernel
        return frames

    @property
    def stride_frames(self) -> int:
        """Frames from one step before the mean over time to the next."""
        return math.prod(layer.first_axis[1] for layer in self.streamable)

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        return sum(math.prod(shape) for step in self.steps() for shape in step.weight_shapes().values())

    def macs(self, *, frames: int | None = None) -> int:
        """Multiply-accumulates for one input of so many frames (the least possible if not told)."""
        return sum(step.layer.macs(step.input_shape) for step in self.steps(frames=frames))

    def tensor_shapes(self) -> dict[str, Shape]:
        """Every tensor a checkpoint of this part has, ``<layer>.<tensor>``, and its shape."""
        return {
            f"{step.layer.name}.{tensor}": shape
            for step in self.steps()
            if isinstance(step.layer, Named)
            for tensor, shape in step.tensor_shapes().items()
        }

    def steps(self, *, frames: int | None = None) -> Iterator[Step]:
        """Every layer with its shapes, the trunk first and then each branch.

        Parameters
        ----------
        frames
            Length of the input where that is open; the least possible if not told.

        Raises
        ------
        InputError
            There are too few frames for any output.
        """
        shape = self._input_shape(frames)
        for layer in self.trunk:
            yield (step := Step(layer, shape, layer.output_shape(shape)))
            shape = step.output_shape
        for branch in self.branches:
            branch_shape = shape
            for layer in branch.layers:
                yield (step := Step(layer, branch_shape, layer.output_shape(branch_shape)))
                branch_shape = step.output_shape

    def _input_shape(self, frames: int | None) -> Shape:
        frames = self.minimum_frames if frames is None else frames
        if frames < self.minimum_frames:
            raise InputError(
                f"too short an input for {self.name}",
                got=f"{frames} frames",
                expected=f"at least {self.minimum_frames}",
                hint="give it more sound, or repeat what there is",
            )
        return tuple(frames if isinstance(size, str) else size for size in self.input.shape[1:])

    def _branch_ends(self) -> Iterator[Shape]:
        ends = [self._input_shape(None), *(step.output_shape for step in self.steps())]
        trunk_end = position = len(self.trunk)
        for branch in self.branches:
            position += len(branch.layers)
            yield ends[position if branch.layers else trunk_end]
