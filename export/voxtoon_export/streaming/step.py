"""One call of the streaming encoder as a torch module: fixed shapes, explicit state, ready to be lowered."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..network import Layered, Network
from .parts import StepPart
from .plan import StepRow
from .rings import trunk_layers


class StepNetwork(Layered):
    """The module of a `StepPart`: its inputs to its outputs, in declared order.

    Parameters
    ----------
    network
        The encoder with its weights.
    spec
        The step, kept as ``spec``.
    channel_first
        Whether state and new frames are joined in the order of the layers, otherwise in that of the edges:
        there both are whole blocks of memory, and so are the frames that are kept of them; an engine whose
        kernels have an order of their own, as onnxruntime's have, leaves and enters it at no more cost.
    """

    def __init__(self, network: Network, spec: StepPart, *, channel_first: bool = False) -> None:
        super().__init__()
        self.spec, self._channel_first = spec, channel_first
        layers = trunk_layers(network)
        self.layer_names = tuple(layers)
        self.layered = spec.encoder  # with the padding in time, for which masks stand here
        for name, layer in layers.items():  # so that in an artefact too a layer has its declared name
            self.add_module(name, layer)
        self._masks = nn.ModuleDict(
            {
                str(number): _Mask(row.frames, row.lag)
                for number, row in enumerate(spec.plan.rows)
                if row.masked
            }
        )
        self._valid = _Mask(spec.plan.outputs, spec.plan.lag)

    def first_inputs(self) -> tuple[Tensor, ...]:
        """Return silence and the state at the start, in declared order."""
        return tuple(torch.zeros([int(size) for size in item.shape]) for item in self.spec.inputs)

    def forward(self, frames: Tensor, position: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Channel last at the edges, channel first inside, as any `Network`."""
        value, kept, following = frames.permute(0, 3, 1, 2), iter(states), []
        for number, (row, name) in enumerate(zip(self.spec.plan.rows, self.layer_names, strict=True)):
            if row.masked:
                value = value * self._masks[str(number)](position).view(1, 1, -1, 1)
            if row.state_frames:
                value, successor = self._joined(next(kept), value, row)
                following.append(successor)
            value = self.get_submodule(name)(value[:, :, : _used(row)])
        position_after = torch.clamp(position + 1, max=float(self.spec.plan.settled_calls))
        valid = self._valid(position).view(1, -1)
        return value.permute(0, 2, 3, 1), valid, position_after, *following

    def _joined(self, state: Tensor, value: Tensor, row: StepRow) -> tuple[Tensor, Tensor]:
        """Return what a layer sees, channel first, and the state that follows, channel last."""
        if self._channel_first:
            seen = torch.cat([state.permute(0, 3, 1, 2), value], dim=2)
            return seen, seen[:, :, row.frames :].permute(0, 2, 3, 1)
        seen = torch.cat([state, value.permute(0, 2, 3, 1)], dim=1)
        return seen.permute(0, 3, 1, 2), seen[:, row.frames :]


class _Mask(nn.Module):
    """1 for the frames of a call that lie in the recording, 0 for those before it."""

    index: Tensor

    def __init__(self, frames: int, lag: int) -> None:
        super().__init__()
        self.register_buffer("index", torch.arange(frames, dtype=torch.float32) - lag, persistent=False)

    def forward(self, position: Tensor) -> Tensor:
        return (position * len(self.index) + self.index >= 0).float()


def _used(row: StepRow) -> int:
    """Frames that the outputs of a call see; those after them wait for the next."""
    return (row.output_frames - 1) * row.unit.stride + row.unit.kernel
