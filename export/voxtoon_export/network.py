"""A declared part as a torch module: channel last at its edges, channel first inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from . import layers as declared
from .layers import Layer, Named, Shape
from .parts import PartSpec


def build(spec: PartSpec) -> Network:
    """The torch module of a declared part, with fresh weights.

    Parameters
    ----------
    spec
        The declaration.

    Returns
    -------
    Network
        Its ``state_dict`` has the keys of ``spec.tensor_shapes()`` (and torch's own batch counters).
    """
    return Network(spec)


class Layered(nn.Module):
    """A module of declared layers, for what rewrites these.

    Attributes
    ----------
    layered
        Their declaration.
    layer_names
        What its children are called that compute them, in order: all of them, or the first.
    """

    layered: PartSpec
    layer_names: Sequence[str]


class Network(Layered):
    """A part: takes its input, and returns its output, or a tuple of its outputs in declared order.

    Parameters
    ----------
    spec
        The declaration, kept as ``spec``.
    """

    def __init__(self, spec: PartSpec) -> None:
        super().__init__()
        self.spec = self.layered = spec
        names: list[str] = []
        for position, step in enumerate(spec.steps()):
            layer = step.layer
            kind = type(layer).__name__.lower()
            names.append(layer.name if isinstance(layer, Named) else f"{kind}_{position}")
            self.add_module(names[-1], _MODULES[type(layer)](layer, step.input_shape))
        self.layer_names = names
        self._trunk = names[: len(spec.trunk)]
        rest = iter(names[len(spec.trunk) :])
        self._branches = [[next(rest) for _ in branch.layers] for branch in spec.branches]

    def forward(self, value: Tensor) -> Any:
        """``[batch, ...]`` channel last, to the same for every output."""
        trunk = self._run(self._trunk, value.permute(0, 3, 1, 2) if value.dim() == 4 else value)
        outputs = tuple(self._run(branch, trunk) for branch in self._branches)
        edges = tuple(output.permute(0, 2, 3, 1) if output.dim() == 4 else output for output in outputs)
        return edges[0] if len(edges) == 1 else edges

    def _run(self, names: list[str], value: Tensor) -> Tensor:
        for name in names:
            value = getattr(self, name)(value)
        return value


class _Affine(nn.Module):
    scale: Tensor
    offset: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(shape))
        self.register_buffer("offset", torch.zeros(shape))

    def forward(self, value: Tensor) -> Tensor:
        return value * self.scale + self.offset


class _Function(nn.Module):
    """A function without tensors as a module, so that every layer can be found by a name."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, value: Tensor) -> Tensor:
        return self._function(value)


def _conv(layer: declared.Conv2d, shape: Shape) -> nn.Module:
    return nn.Conv2d(shape[2], layer.channels, layer.kernel, layer.stride, layer.padding)


def _conv_transpose(layer: declared.ConvTranspose2d, shape: Shape) -> nn.Module:
    return nn.ConvTranspose2d(
        shape[2],
        layer.channels,
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.output_padding,
        bias=layer.bias,
    )


def _zero_pad(layer: declared.ZeroPad, shape: Shape) -> nn.Module:
    (top, left), (bottom, right) = layer.before, layer.after
    return nn.ZeroPad2d((left, right, top, bottom))


def _rescale(layer: declared.Rescale, shape: Shape) -> nn.Module:
    return _Function(lambda value: value * layer.scale + layer.offset)


def _batch_norm(layer: declared.BatchNorm, shape: Shape) -> nn.Module:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[-1], eps=layer.epsilon)


def _unflatten(layer: declared.Unflatten, shape: Shape) -> nn.Module:
    inside = (layer.shape[-1], *layer.shape[:-1]) if len(layer.shape) == 3 else layer.shape
    return nn.Unflatten(1, inside)


_MODULES: dict[type[Layer], Callable[[Any, Shape], nn.Module]] = {
    declared.Conv2d: _conv,
    declared.ConvTranspose2d: _conv_transpose,
    declared.BatchNorm: _batch_norm,
    declared.Linear: lambda layer, shape: nn.Linear(shape[0], layer.size),
    declared.Affine: lambda layer, shape: _Affine(shape),
    declared.ZeroPad: _zero_pad,
    declared.MaxPool: lambda layer, shape: nn.MaxPool2d(layer.size),
    declared.TimeMean: lambda layer, shape: _Function(lambda value: value.mean(dim=2, keepdim=True)),
    declared.Flatten: lambda layer, shape: nn.Flatten(),
    declared.Unflatten: _unflatten,
    declared.Relu: lambda layer, shape: nn.ReLU(),
    declared.LeakyRelu: lambda layer, shape: nn.LeakyReLU(layer.slope),
    declared.Tanh: lambda layer, shape: nn.Tanh(),
    declared.Rescale: _rescale,
    declared.Sigmoid: lambda layer, shape: nn.Sigmoid(),
    declared.UnitLength: lambda layer, shape: _Function(lambda value: nn.functional.normalize(value, dim=-1)),
}
