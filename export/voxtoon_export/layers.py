"""The layers that parts are declared with: shapes, tensors and multiplications, without any framework.

Every map is written channel last and without its batch: ``(time, frequency, channel)`` for sound,
``(height, width, channel)`` for images; kernels, strides and paddings are pairs over the first two axes. How
a framework lays its maps out inside is that framework's business (see ``network``); the one place where it
would show, turning a map into a vector and back, is fixed here: channel-major, element ``c * frequency + f``.

Shapes of weights are torch's, since that is how checkpoints are kept: convolutions ``[out, in, k, k]``,
transposed ones ``[in, out, k, k]``, fully connected ``[out, in]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """One step of a network; a kind of layer only says where it differs from an elementwise function."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output, for an input of `shape`; a size below 1 means that nothing comes out."""
        return shape

    def weight_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of the trained tensors, by name."""
        return {}

    def buffer_shapes(self, shape: Shape) -> dict[str, Shape]:
        """Shapes of the tensors that are kept but not trained by gradients, by name."""
        return {}

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates of convolutions and fully connected layers; all else counts as nothing."""
        return 0

    @property
    def first_axis(self) -> Pair:
        """Kernel and stride along time: output t sees inputs ``[t * stride, t * stride + kernel)``."""
        return 1, 1


@dataclass(frozen=True)
class Named(Layer):
    """A layer with tensors, kept in checkpoints as ``<name>.<tensor>``."""

    name: str


@dataclass(frozen=True)
class Conv2d(Named):
    """Convolution with bias; ``padding`` zeros on either side of an axis, none by default (VALID)."""

    channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        axes = zip(shape[:2], self.kernel, self.stride, self.padding, strict=True)
        sizes = ((size + 2 * padding - kernel) // stride + 1 for size, kernel, stride, padding in axes)
        return (*sizes, self.channels)

    def weight_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        return {"weight": (self.channels, shape[2], *self.kernel), "bias": (self.channels,)}

    def macs(self, shape: Shape) -> int:  # noqa: D102
        return math.prod(self.output_shape(shape)) * shape[2] * math.prod(self.kernel)

    @property
    def first_axis(self) -> Pair:  # noqa: D102
        return self.kernel[0], self.stride[0]


@dataclass(frozen=True)
class ConvTranspose2d(Named):
    """Transposed convolution as torch defines it, with bias unless told otherwise."""

    channels: int
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    output_padding: Pair = (0, 0)
    bias: bool = True

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        axes = zip(shape[:2], self.kernel, self.stride, self.padding, self.output_padding, strict=True)
        sizes = ((size - 1) * stride + kernel - 2 * pad + extra for size, kernel, stride, pad, extra in axes)
        return (*sizes, self.channels)

    def weight_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        bias: dict[str, Shape] = {"bias": (self.channels,)} if self.bias else {}
        return {"weight": (shape[2], self.channels, *self.kernel), **bias}

    def macs(self, shape: Shape) -> int:  # noqa: D102
        return math.prod(shape) * self.channels * math.prod(self.kernel)


@dataclass(frozen=True)
class BatchNorm(Named):
    """Batch normalisation over all but the channel; running statistics at inference."""

    epsilon: float = 1e-5

    def weight_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        return {"weight": shape[-1:], "bias": shape[-1:]}

    def buffer_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        return {"running_mean": shape[-1:], "running_var": shape[-1:]}


@dataclass(frozen=True)
class Linear(Named):
    """Fully connected, with bias, from a vector to a vector of ``size``."""

    size: int

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (self.size,)

    def weight_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        return {"weight": (self.size, *shape), "bias": (self.size,)}

    def macs(self, shape: Shape) -> int:  # noqa: D102
        return math.prod(shape) * self.size


@dataclass(frozen=True)
class Affine(Named):
    """``offset + scale * x`` with fixed numbers, one of each per element of a vector or table."""

    def buffer_shapes(self, shape: Shape) -> dict[str, Shape]:  # noqa: D102
        return {"scale": shape, "offset": shape}


@dataclass(frozen=True)
class ZeroPad(Layer):
    """Zeros around a map, as many as told on either side of its two axes: where the sides differ."""

    before: Pair
    after: Pair

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        axes = zip(shape[:2], self.before, self.after, strict=True)
        return (*(size + before + after for size, before, after in axes), shape[2])


@dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over non-overlapping blocks; an incomplete block at the end is dropped."""

    size: Pair

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (shape[0] // self.size[0], shape[1] // self.size[1], shape[2])

    @property
    def first_axis(self) -> Pair:  # noqa: D102
        return self.size[0], self.size[0]


@dataclass(frozen=True)
class TimeMean(Layer):
    """Mean over all of the first axis, which stays with size 1: what comes before it can be streamed."""

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (min(shape[0], 1), *shape[1:])


@dataclass(frozen=True)
class Flatten(Layer):
    """A map as a vector, channel-major."""

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (math.prod(shape),)


@dataclass(frozen=True)
class Unflatten(Layer):
    """A vector as a map of ``shape``, channel-major; as a table of two axes, row by row."""

    shape: Shape

    def output_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return self.shape


@dataclass(frozen=True)
class Relu(Layer):
    """``max(x, 0)``."""


@dataclass(frozen=True)
class LeakyRelu(Layer):
    """``x`` where it is positive, ``slope * x`` elsewhere."""

    slope: float


@dataclass(frozen=True)
class Tanh(Layer):
    """The hyperbolic tangent."""


@dataclass(frozen=True)
class Rescale(Layer):
    """``offset + scale * x``, two declared numbers for all elements alike; trained ones are `Affine`'s."""

    scale: float
    offset: float


@dataclass(frozen=True)
class Sigmoid(Layer):
    """``1 / (1 + exp(-x))``."""


@dataclass(frozen=True)
class UnitLength(Layer):
    """A vector divided by its Euclidean length."""
