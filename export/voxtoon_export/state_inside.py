"""A part that has its state as inputs and outputs, as a torch module that keeps it in buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from voxtoon.engines.coreml_stateful import REST

if TYPE_CHECKING:
    from voxtoon_export.lowering import Declaration
    from voxtoon_export.lowering import Tensor as Declared


class StateInside(nn.Module):
    """A module whose state is in buffers of float16, which is what Core ML can keep.

    Parameters
    ----------
    module
        Takes and gives what `part` declares, the successors of its states as ``next_<name>``.
    part
        Declared.
    kept
        Those of its inputs that are state.
    exact
        Whether values are kept to 22 bits, in two buffers each: what float16 makes of a value, and of the
        rest. Whole numbers, as the count of calls, need no rest but have one.

    Attributes
    ----------
    states
        Names and shapes of the buffers.
    """

    def __init__(
        self, module: nn.Module, part: Declaration, kept: Sequence[Declared], *, exact: bool
    ) -> None:
        super().__init__()
        self.module = module
        self._exact = exact
        self._inputs = [item.name for item in part.inputs]
        self._outputs = [item.name for item in part.outputs]
        self._kept = [item.name for item in kept]
        self.states: dict[str, tuple[int, ...]] = {}
        for item in kept:
            shape = tuple(int(size) for size in item.shape)
            for name in (item.name, item.name + REST) if exact else (item.name,):
                self.register_buffer(name, torch.zeros(shape, dtype=torch.float16))
                self.states[name] = shape

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Take the inputs and give the outputs that are no state, in declared order."""
        values = {name: self._read(name) for name in self._kept}
        values |= zip((name for name in self._inputs if name not in values), given, strict=True)
        made = dict(zip(self._outputs, self.module(*(values[name] for name in self._inputs)), strict=True))
        for name in self._kept:
            self._write(name, made.pop(f"next_{name}"))
        return tuple(made.values())

    def _read(self, name: str) -> Tensor:
        value = self.get_buffer(name).float()
        return value + self.get_buffer(name + REST).float() if self._exact else value

    def _write(self, name: str, value: Tensor) -> None:
        buffer = self.get_buffer(name)
        buffer[:] = value.half()  # of whole buffers coremltools knows assignment, not `copy_`
        if self._exact:
            # The rest is of what is kept, not of the value before: no optimiser takes the rounding away.
            self.get_buffer(name + REST)[:] = (value - buffer.float()).half()
