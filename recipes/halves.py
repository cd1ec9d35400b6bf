"""Narrow encoders side by side as one wide encoder that gives the mean of their features.

On few voices the mean of several networks tells more than one network of their joint size, and they train at
the same time, one per core. A convolution that is zero between two groups of channels is two convolutions, so
the mean is an encoder of the paper's Table 1 like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from voxtoon_export.network import Network, build
from voxtoon_export.systems import Variant
from voxtoon_export.systems.speech2face import VARIANTS, encoder


def build_narrow(variant: Variant, count: int) -> Network:
    """An encoder with fresh weights, of a variant's width and hidden layer divided by a count."""
    size = VARIANTS[variant.name]
    return build(
        encoder(replace(size, width_divisor=size.width_divisor * count, hidden=size.hidden // count))
    )


@torch.no_grad()
def join(narrow: Sequence[Network], variant: Variant) -> Network:
    """The variant's encoder whose feature is the mean of the narrow ones' features.

    Parameters
    ----------
    narrow
        As many as their width was divided by, all of `build_narrow`.
    variant
        Whose encoder they become.
    """
    joined = build(variant.parts["encoder"])
    states = [network.state_dict() for network in narrow]
    joined.load_state_dict(
        {name: _join(name, [state[name] for state in states]) for name in joined.state_dict()}
    )
    return joined.eval()


def _join(name: str, tensors: list[Tensor]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return tensors[0]
    if name == "fc2.weight":
        return torch.cat(tensors, dim=1) / len(tensors)
    if name == "fc2.bias":
        return torch.stack(tensors).mean(dim=0)
    if tensors[0].dim() == 1 or name == "conv1.weight":  # every group hears all of the frames
        return torch.cat(tensors)
    return _block_diagonal(tensors)


def _block_diagonal(tensors: list[Tensor]) -> Tensor:
    """Weights [out, in, ...] of layers that keep to themselves."""
    outputs, inputs = tensors[0].shape[:2]
    count = len(tensors)
    joined = torch.zeros(outputs * count, inputs * count, *tensors[0].shape[2:])
    for number, tensor in enumerate(tensors):
        joined[number * outputs : (number + 1) * outputs, number * inputs : (number + 1) * inputs] = tensor
    return joined
