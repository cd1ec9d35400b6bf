"""Batch norms folded into the layers around them, exactly: at inference each is a factor and an offset.

Where one follows an activation, as in Speech2Face, converters leave it as up to four passes over the map. It
goes forward into the next convolution if that has no padding (zeros put there would have to be changed too)
or fully connected layer; a maximum on the way is no obstacle to factors above 0, nor is a mean, nor the
state of a step, which then holds what the norm would have taken: no output that counts sees what it is at
the start (`streaming.plan.StepRow.masked`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .chains import Place, chains
from .layers import BatchNorm, Conv2d, ConvTranspose2d, Flatten, Linear, MaxPool, TimeMean

if TYPE_CHECKING:
    from .network import Layered


class FactorAndOffset(nn.Module):
    """``x * factor + offset`` per channel: what remains of a batch norm that cannot be folded.

    Parameters
    ----------
    factor, offset
        One per channel, float64.
    axes
        Of the map behind the channel: 2, or 0 for a vector.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, factor: Tensor, offset: Tensor, *, axes: int) -> None:
        super().__init__()
        shape = (-1, *(1,) * axes)
        self.register_buffer("factor", factor.float().reshape(shape))
        self.register_buffer("offset", offset.float().reshape(shape))

    def forward(self, value: Tensor) -> Tensor:
        """``[n, channels, ...]`` to the same."""
        return value * self.factor + self.offset


def with_folded_batch_norms(network: Layered) -> Layered:
    """Return a copy of a part in which every batch norm is folded that can be; the others stay.

    It is in eval mode and only for lowering: its tensors are no longer those of a checkpoint.
    """
    folded = copy.deepcopy(network)
    for chain in chains(folded):
        fold_batch_norms(folded, chain, keep=True)
    return folded.eval()


def fold_batch_norms(network: Layered, chain: Sequence[Place], *, keep: bool = False) -> None:
    """Fold every batch norm of a chain, in place.

    Parameters
    ----------
    network
        Whose layers the places name.
    chain
        Layers each of which feeds the next and nothing else.
    keep
        Leave what cannot be folded a batch norm, for formats that have one; otherwise it becomes one factor
        and one offset.
    """
    for position, place in enumerate(chain):
        if place.kind is BatchNorm:
            norm = _Affine.of(getattr(network, place.name))
            if norm.fold_back(network, chain[:position]) or norm.fold_forward(network, chain[position + 1 :]):
                left: nn.Module = nn.Identity()
            elif keep:
                continue
            else:
                axes = len(place.step.input_shape) - 1
                left = FactorAndOffset(norm.factor, norm.offset, axes=axes)
            setattr(network, place.name, left)


@dataclass(frozen=True)
class _Affine:
    """A batch norm at inference, in float64: one factor and one offset per channel."""

    factor: Tensor
    offset: Tensor

    @classmethod
    def of(cls, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> _Affine:
        assert norm.running_mean is not None  # a declared batch norm keeps them
        assert norm.running_var is not None
        factor = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
        return cls(factor, norm.bias.detach().double() - norm.running_mean.double() * factor)

    def fold_back(self, network: Layered, before: Sequence[Place]) -> bool:
        """Fold it into the layer whose output it takes; False where that has no weights."""
        if not before or before[-1].kind not in (Conv2d, ConvTranspose2d, Linear):
            return False
        module = getattr(network, before[-1].name)
        outputs = 1 if before[-1].kind is ConvTranspose2d else 0
        weight = module.weight.detach().double() * _along(self.factor, module.weight, axis=outputs)
        bias = (
            self.offset if module.bias is None else module.bias.detach().double() * self.factor + self.offset
        )
        module.weight, module.bias = nn.Parameter(weight.float()), nn.Parameter(bias.float())
        return True

    def fold_forward(self, network: Layered, after: Sequence[Place]) -> bool:
        """Fold it into the next layer with weights; False where what is between or padding forbids it."""
        factor, offset = self.factor, self.offset
        for place in after:
            layer = place.step.layer
            if isinstance(layer, Flatten):
                each = math.prod(place.step.input_shape[:-1])
                factor, offset = factor.repeat_interleave(each), offset.repeat_interleave(each)
            elif isinstance(layer, Linear) or (isinstance(layer, Conv2d) and not any(layer.padding)):
                _fold_into_inputs(getattr(network, place.name), factor, offset)
                return True
            elif not (
                isinstance(layer, TimeMean) or (isinstance(layer, MaxPool) and bool((factor > 0).all()))
            ):
                return False
        return False


def _fold_into_inputs(module: nn.Module, factor: Tensor, offset: Tensor) -> None:
    assert isinstance(module, nn.Conv2d | nn.Linear)
    weight = module.weight.detach().double()
    bias = (weight * _along(offset, weight, axis=1)).flatten(1).sum(1)
    if module.bias is not None:
        bias = bias + module.bias.detach().double()
    module.weight = nn.Parameter((weight * _along(factor, weight, axis=1)).float())
    module.bias = nn.Parameter(bias.float())


def _along(values: Tensor, weight: Tensor, *, axis: int) -> Tensor:
    return values.reshape([-1 if index == axis else 1 for index in range(weight.dim())])
