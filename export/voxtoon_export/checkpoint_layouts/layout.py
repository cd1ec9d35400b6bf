"""How a training program names and arranges its tensors, as data, and how that becomes ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..layers import BatchNorm, Flatten, Layer, Named, Shape
from ..parts import Step
from ..systems import Variant


@dataclass(frozen=True)
class Layout:
    """Where a program keeps the tensors of our parts, and in which order of axes.

    Parameters
    ----------
    name, title
        Its name here, and what it is.
    variant
        The variant its full-size checkpoints are of; None where shapes or the file's header tell.
    parts
        The parts it has.
    layers
        From our ``<part>.<layer>`` to the name it has there; a layer that is not listed has ours.
    separator
        Between the names of a layer and its tensor.
    tensors
        For a kind of layer, from our name of a tensor to the one there; what is not listed has ours.
    axes
        For a kind of layer, the axes of its weight there in the order we keep them.
    flattened_channel_last
        Whether the columns of the layer after a flattened map go channel by channel (ours), or element by
        element with its channels together.
    epsilon
        Of its batch norms, where it is another than the declared; the variance takes up the difference.
    frames
        What the frames of its encoder are, where no front end of ours makes them.
    """

    name: str
    title: str
    variant: str | None
    parts: tuple[str, ...]
    layers: Mapping[str, str] = field(default_factory=dict)
    separator: str = "."
    tensors: Mapping[type[Layer], Mapping[str, str]] = field(default_factory=dict)
    axes: Mapping[type[Layer], tuple[int, ...]] = field(default_factory=dict)
    flattened_channel_last: bool = False
    epsilon: float | None = None
    frames: str | None = None

    def sources(self, variant: Variant) -> dict[str, Source]:
        """Every tensor of a variant, by the name it has there."""
        sources = {}
        for part in (variant.parts[name] for name in self.parts if name in variant.parts):
            flattened: Shape | None = None
            for step in part.steps():
                if isinstance(step.layer, Named):
                    for tensor in step.tensor_shapes():
                        source = Source(self, part.name, step, tensor, flattened)
                        sources[source.key] = source
                    flattened = None
                elif isinstance(step.layer, Flatten):
                    flattened = step.input_shape
        return sources


@dataclass(frozen=True)
class Source:
    """Where one of our tensors comes from.

    Parameters
    ----------
    layout, part, step, tensor
        The layout, and which tensor of which layer it is with us.
    flattened
        The map that was flattened to the layer's input, if one was.
    """

    layout: Layout
    part: str
    step: Step
    tensor: str
    flattened: Shape | None

    @property
    def name(self) -> str:
        """Its name in our part."""
        assert isinstance(self.step.layer, Named)
        return f"{self.step.layer.name}.{self.tensor}"

    @property
    def key(self) -> str:
        """Its name in the file."""
        layer = f"{self.part}.{self.name.removesuffix('.' + self.tensor)}"
        tensor = self.layout.tensors.get(type(self.step.layer), {}).get(self.tensor, self.tensor)
        return self.layout.layers.get(layer, layer) + self.layout.separator + tensor

    @property
    def shape(self) -> Shape:
        """Its shape in the file."""
        ours = self.step.tensor_shapes()[self.tensor]
        theirs = list(ours)
        for axis, size in zip(self._axes(), ours, strict=True):
            theirs[axis] = size
        return tuple(theirs)

    def convert(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """The file's array as ours."""
        array = array.transpose(self._axes())
        layer, layout = self.step.layer, self.layout
        if self.tensor == "weight" and self.flattened and layout.flattened_channel_last:
            array = np.moveaxis(array.reshape(-1, *self.flattened), -1, 1).reshape(array.shape)
        if self.tensor == "running_var" and isinstance(layer, BatchNorm) and layout.epsilon is not None:
            array = array + np.float32(layout.epsilon - layer.epsilon)
        return np.ascontiguousarray(array)

    def _axes(self) -> tuple[int, ...]:
        dimensions = len(self.step.tensor_shapes()[self.tensor])
        axes = self.layout.axes.get(type(self.step.layer)) if self.tensor == "weight" else None
        return axes or tuple(range(dimensions))
