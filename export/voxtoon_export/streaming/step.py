"""One call of the streaming encoder as a torch module: fixed shapes, explicit state, ready to be lowered."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..network import Network
from .parts import StepPart
from .plan import StepRow
from .rings import trunk_layers


class StepNetwork(nn.Module):
    """The module of a `StepPart`: its inputs to its outputs, in declared order.

    Parameters
    ----------
    network
        The encoder with its weights.
    spec
        The step, kept as ``spec``.
    """

    def __init__(self, network: Network, spec: StepPart) -> None:
        super().__init__()
        self.spec = spec
        layers = trunk_layers(network)
        self._names = tuple(layers)
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
        for number, (row, name) in enumerate(zip(self.spec.plan.rows, self._names, strict=True)):
            if row.masked:
                value = value * self._masks[str(number)](position).view(1, 1, -1, 1)
            if row.state_frames:
                value = torch.cat([next(kept).permute(0, 3, 1, 2), value], dim=2)
                following.append(value[:, :, row.frames :].permute(0, 2, 3, 1))
            value = self.get_submodule(name)(value[:, :, : _used(row)])
        position_after = torch.clamp(position + 1, max=float(self.spec.plan.settled_calls))
        valid = self._valid(position).view(1, -1)
        return value.permute(0, 2, 3, 1), valid, position_after, *following


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
