"""The encoder on a stream in torch: any number of frames at a time, exact at every moment."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..network import Network, build
from .parts import head_part
from .plan import Unit, streaming_units, trunk_part


@dataclass(frozen=True)
class RingState:
    """Where a stream is; nothing in it is ever written to.

    Parameters
    ----------
    rings
        Of each unit, the frames of its padded input that its next output needs, ``[1, frames, F, C]``.
    total
        Sum over the outputs so far, float64 ``[1, 1, F, C]``.
    count
        Number of them.
    """

    rings: tuple[Tensor, ...]
    total: Tensor
    count: int


class RingEncoder:
    """An encoder that takes its frames as they come.

    Parameters
    ----------
    network
        The encoder with its weights, which are shared, not copied.

    Attributes
    ----------
    state
        A `RingState`. To roll back, set it to what it was.

    Raises
    ------
    InputError
        The encoder cannot be streamed.
    """

    def __init__(self, network: Network) -> None:
        self.units = streaming_units(network.spec)
        self._layers = tuple(trunk_layers(network).values())
        self._head = head_network(network)
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self.state = RingState(
            rings=tuple(torch.zeros(1, unit.before, *unit.frame_shape) for unit in self.units),
            total=torch.zeros(1, 1, *self.units[-1].output_frame_shape, dtype=torch.float64),
            count=0,
        )

    def clone(self) -> RingEncoder:
        """Return another encoder at the same place of the same stream, with the same weights."""
        return copy.copy(self)

    @torch.inference_mode()
    def push(self, frames: Tensor) -> Tensor:
        """Take some frames.

        Parameters
        ----------
        frames
            ``[1, n, F, C]``, n >= 0.

        Returns
        -------
        Tensor
            ``[1, m, F, C]``: the outputs before the mean over time that these frames complete.
        """
        rings = []
        for unit, layer, ring in zip(self.units, self._layers, self.state.rings, strict=True):
            seen = torch.cat([ring, frames], dim=1)
            frames = _windows(unit, layer, seen)
            rings.append(seen[:, frames.shape[1] * unit.stride :].clone())
        self.state = RingState(
            tuple(rings), self.state.total + _total(frames), self.state.count + frames.shape[1]
        )
        return frames

    @torch.inference_mode()
    def peek(self) -> Tensor:
        """Return the outputs still to come if the stream ends here, ``[1, m, F, C]``; it may go on."""
        frames = self.state.rings[0][:, :0]
        for unit, layer, ring in zip(self.units, self._layers, self.state.rings, strict=True):
            end = torch.zeros(1, unit.after, *unit.frame_shape)
            frames = _windows(unit, layer, torch.cat([ring, frames, end], dim=1))
        return frames

    def flush(self) -> Tensor:
        """End the stream: return what `peek` does and start anew."""
        rest = self.peek()
        self.reset()
        return rest

    @torch.inference_mode()
    def feature(self) -> Any:
        """Return what the encoder makes of all frames so far, as if the recording ended here.

        At least ``minimum_frames`` of the encoder must have come.
        """
        rest = self.peek()
        mean = (self.state.total + _total(rest)) / (self.state.count + rest.shape[1])
        return self._head(mean.float())


def offline_trunk(network: Network, frames: Tensor) -> Tensor:
    """Run an encoder on a whole recording up to its mean over time: ``[1, n, F, C]`` to the same."""
    value = frames.permute(0, 3, 1, 2)
    for layer in list(network.children())[: len(network.spec.streamable)]:
        value = layer(value)
    return value.permute(0, 2, 3, 1)


def trunk_layers(network: Network) -> dict[str, nn.Module]:
    """Return the modules of an encoder's units by their names in it, in order, with its weights."""
    trunk = build(trunk_part(network.spec))
    _share_tensors(trunk, network)
    return dict(list(trunk.eval().named_children())[:-1])


def head_network(network: Network) -> Network:
    """Return the network of an encoder's `head_part`, with its weights."""
    head = build(head_part(network.spec))
    _share_tensors(head, network)
    return head.eval()


def _share_tensors(module: nn.Module, network: Network) -> None:
    tensors = network.state_dict()
    module.load_state_dict({name: tensors[name] for name in module.state_dict()}, assign=True)


def _windows(unit: Unit, layer: nn.Module, seen: Tensor) -> Tensor:
    """Run a layer on all its windows that are complete; a layer of torch takes no fewer than one."""
    if not unit.output_count(seen.shape[1]):
        return seen.new_zeros(1, 0, *unit.output_frame_shape)
    # Turned around as a view: in memory the channel stays last, as in a run over a whole recording. For that
    # order torch has one kernel for any number of frames; for the other several, which round differently.
    output: Tensor = layer(seen.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return output


def _total(frames: Tensor) -> Tensor:
    return frames.double().sum(dim=1, keepdim=True)
