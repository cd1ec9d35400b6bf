"""A part rewritten, exactly, for runtimes whose maps are channel last: nothing in it is turned around.

Exactly means: up to rounding; every artefact is checked against the part as it was declared.

In a declared part a map becomes a vector channel-major, and a vector a map likewise (see `layers`). Where
maps are channel last each of them has to be transposed for that; to transpose the weights of the fully
connected layer next to it, once, is the same.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .batch_norm import fold_batch_norms
from .chains import Place, chains
from .layers import ConvTranspose2d, Flatten, Linear, Relu, TimeMean, Unflatten
from .litert_operators import time_mean
from .polyphase import PolyphaseConvTranspose2d, has_phases

if TYPE_CHECKING:
    from .layers import Shape
    from .network import Layered


def channel_last(network: Layered) -> Layered:
    """Return a copy of a part that computes the same without turning maps around.

    Parameters
    ----------
    network
        With its weights. The layers keep their names in the copy.

    Returns
    -------
    Layered
        In eval mode and only for lowering: its tensors are no longer those of a checkpoint.
    """
    rewritten = copy.deepcopy(network)
    for chain in chains(rewritten):
        fold_batch_norms(rewritten, chain)
        for position, place in enumerate(chain):
            following, preceding = chain[position + 1 :], chain[:position][::-1]
            if place.kind is Flatten and len(place.step.input_shape) == 3:
                _flatten(rewritten, place, following)
            elif place.kind is Unflatten and len(place.step.output_shape) == 3:
                _unflatten(rewritten, place, preceding)
            elif place.kind is ConvTranspose2d:
                _transposed_convolution(rewritten, place, following)
            elif place.kind is TimeMean:
                setattr(rewritten, place.name, _TimeMeanChannelLast())
    return rewritten.eval()


class _FlattenChannelLast(nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        return value.permute(0, 2, 3, 1).flatten(1)


class _TimeMeanChannelLast(nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        mean: Tensor = time_mean(value.permute(0, 2, 3, 1))
        return mean.permute(0, 3, 1, 2)


class _UnflattenChannelLast(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape

    def forward(self, value: Tensor) -> Tensor:
        return value.reshape(-1, *self._shape).permute(0, 3, 1, 2)


def _flatten(network: Layered, place: Place, following: Sequence[Place]) -> None:
    near = _up_to_linear(following)
    if not near:
        return  # the vector is an output, or goes where its order matters
    order = _channel_last_order(place.step.input_shape)
    setattr(network, place.name, _FlattenChannelLast())
    *between, linear = (getattr(network, other.name) for other in near)
    for module in between:
        _reorder(module, order)
    linear.weight.data = linear.weight.data[:, order]


def _unflatten(network: Layered, place: Place, preceding: Sequence[Place]) -> None:
    near = _up_to_linear(preceding)
    if not near:
        return
    setattr(network, place.name, _UnflattenChannelLast(place.step.output_shape))
    for other in near:
        _reorder(getattr(network, other.name), _channel_last_order(place.step.output_shape))


def _transposed_convolution(network: Layered, place: Place, following: Sequence[Place]) -> None:
    original = getattr(network, place.name)
    if not has_phases(original):
        return
    activation = None
    if following and following[0].kind is Relu:
        activation = getattr(network, following[0].name)
        setattr(network, following[0].name, nn.Identity())
    setattr(network, place.name, PolyphaseConvTranspose2d(original, activation))


def _up_to_linear(places: Sequence[Place]) -> Sequence[Place]:
    """Return the places to the next fully connected layer, it included; none if anything bars the way.

    What takes a vector and gives one of the same size is elementwise, or treats all elements alike.
    """
    for position, place in enumerate(places):
        if place.kind is Linear:
            return places[: position + 1]
        if len(place.step.input_shape) != 1 or place.step.input_shape != place.step.output_shape:
            break
    return ()


def _channel_last_order(shape: Shape) -> Tensor:
    """Return where each element of the channel-last vector stands in the channel-major one."""
    height, width, channels = shape
    return torch.arange(height * width * channels).reshape(channels, height, width).permute(1, 2, 0).flatten()


def _reorder(module: nn.Module, order: Tensor) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dim():  # all but batch norm's counter
            tensor.data = tensor.data[order]
