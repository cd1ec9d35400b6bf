"""How a training program names and arranges its tensors, as data, and how that becomes ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

from ..layers import BatchNorm, ConvTranspose2d, Flatten, Layer, Named, Shape
from ..parts import Step
from ..systems import SYSTEMS, Variant
from ..systems import variant as variant_named


@dataclass(frozen=True)
class Layout:
    """Where a program keeps the tensors of our parts, and in which order of axes.

    Parameters
    ----------
    name, title
        Its name here, and what it is.
    parts
        The parts it has.
    system
        The system it is of; None for any.
    variant
        The variant its full-size checkpoints are of; None where shapes or the file's header tell.
    layers
        From our ``<part>.<layer>`` to the name it has there; a layer that is not listed has ours.
    separator
        Between the names of a layer and its tensor.
    tensors
        For a kind of layer, from our name of a tensor to the one there; what is not listed has ours.
    axes
        For a kind of layer, the axes of its weight there in the order we keep them; None for one of a single
        element that they do not have.
    flattened_channel_last
        Whether the columns of the layer after a flattened map go channel by channel (ours), or element by
        element with its channels together.
    epsilon
        Of its batch norms, where it is another than the declared; the variance takes up the difference.
    spectral_norm
        The kinds of layers whose weight is kept as the three tensors of a spectral norm.
    reversed_channels
        Our ``<part>.<layer>`` whose output channels are the other way round there.
    ignored
        What the names of tensors begin with that only training needs.
    frames
        What the frames of its encoder are, where no front end of ours makes them.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    system: str | None = None
    variant: str | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    separator: str = "."
    tensors: Mapping[type[Layer], Mapping[str, str]] = field(default_factory=dict)
    axes: Mapping[type[Layer], tuple[int | None, ...]] = field(default_factory=dict)
    flattened_channel_last: bool = False
    epsilon: float | None = None
    spectral_norm: tuple[type[Layer], ...] = ()
    reversed_channels: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    frames: str | None = None

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The declared variants that it may be of."""
        if self.variant is not None:
            return (variant_named(self.variant),)
        systems = SYSTEMS.values() if self.system is None else (SYSTEMS[self.system],)
        return tuple(variant for system in systems for variant in system.variants.values())

    @property
    def names(self) -> frozenset[str]:
        """The names of all tensors that a file of any of these variants may hold."""
        return frozenset(
            name
            for variant in self.variants
            for source in self.sources(variant).values()
            for name in source.shapes
        )

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
        return f"{self._layer.name}.{self.tensor}"

    @property
    def key(self) -> str:
        """Its name in the file; of a weight under spectral norm, that of the tensor before it."""
        if self._normed:
            return f"{self._prefix}weight_bar"
        return self._prefix + self.layout.tensors.get(type(self._layer), {}).get(self.tensor, self.tensor)

    @property
    def shape(self) -> Shape:
        """Its shape in the file."""
        ours = self.step.tensor_shapes()[self.tensor]
        there = sorted((axis, size) for axis, size in zip(self._axes, ours, strict=True) if axis is not None)
        return tuple(size for _, size in there)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Every tensor of the file that it is made of, and its shape there."""
        shapes = {self.key: self.shape}
        if self._normed:
            shapes[f"{self._prefix}weight_u"] = self.shape[:1]
            shapes[f"{self._prefix}weight_v"] = (math.prod(self.shape[1:]),)
        return shapes

    def convert(self, weights: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The file's tensors as ours; InputError where they have no meaning."""
        array = weights[self.key]
        if self._normed:
            array = self._unnormed(array, *(weights[f"{self._prefix}weight_{side}"] for side in "uv"))
        array = array.transpose([axis for axis in self._axes if axis is not None])
        array = np.expand_dims(array, [place for place, axis in enumerate(self._axes) if axis is None])
        layer, layout = self._layer, self.layout
        if f"{self.part}.{layer.name}" in layout.reversed_channels:
            is_weight = self.tensor == "weight"
            array = np.flip(array, 1 if is_weight and isinstance(layer, ConvTranspose2d) else 0)
        if self.tensor == "weight" and self.flattened and layout.flattened_channel_last:
            array = np.moveaxis(array.reshape(-1, *self.flattened), -1, 1).reshape(array.shape)
        if self.tensor == "running_var" and isinstance(layer, BatchNorm) and layout.epsilon is not None:
            array = array + np.float32(layout.epsilon - layer.epsilon)
        return np.ascontiguousarray(array)

    def _unnormed(
        self, weight: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The weight divided by its spectral norm as the wrapper estimates it: along its first axis."""
        norm = float(u.astype(np.float64) @ weight.reshape(len(u), -1).astype(np.float64) @ v)
        if norm == 0:
            raise InputError(f"spectral norm of {self.key}", got=0, expected="another number")
        return (weight / norm).astype(np.float32)

    @property
    def _layer(self) -> Named:
        assert isinstance(self.step.layer, Named)
        return self.step.layer

    @property
    def _prefix(self) -> str:
        layer = f"{self.part}.{self._layer.name}"
        return self.layout.layers.get(layer, layer) + self.layout.separator

    @property
    def _normed(self) -> bool:
        return self.tensor == "weight" and isinstance(self._layer, self.layout.spectral_norm)

    @property
    def _axes(self) -> tuple[int | None, ...]:
        dimensions = len(self.step.tensor_shapes()[self.tensor])
        axes = self.layout.axes.get(type(self._layer)) if self.tensor == "weight" else None
        return axes or tuple(range(dimensions))
