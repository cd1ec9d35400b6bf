"""A transposed convolution as an ordinary one: the same sums, up to their order, for runtimes without it.

LiteRT has no transposed convolution with padding, and a slow one without (see docs/litert.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .litert_operators import depth_to_space


class PolyphaseConvTranspose2d(nn.Module):
    """A transposed convolution as a convolution to all phases of its output, put side by side afterwards.

    Output ``stride * i + a`` is a sum over ``weight[k] * input[i + (a + padding - k) / stride]`` for those
    ``k`` that give a whole position: for each phase ``a`` an ordinary convolution. All of them fit into one
    of ``ceil(kernel / stride)`` taps where the padding is a whole number of strides; the rest of any other
    padding is cropped from the output.

    Parameters
    ----------
    original
        One that `has_phases`.
    activation
        An elementwise function of the output, applied where a runtime can fuse it with the convolution.
    """

    def __init__(self, original: nn.ConvTranspose2d, activation: nn.Module | None = None) -> None:
        super().__init__()
        self._axes = rows, columns = _Axis.of(original, 0), _Axis.of(original, 1)
        self._block = block = rows.stride
        inputs, channels = original.weight.shape[:2]
        weight = original.weight.new_zeros(block, block, channels, inputs, rows.taps, columns.taps)
        for k in range(rows.kernel):
            for m in range(columns.kernel):
                (a, u), (b, v) = rows.place(k), columns.place(m)
                weight[a, b, :, :, u, v] = original.weight[:, :, k, m].detach().T
        before, after = [axis.pad_before for axis in self._axes], [axis.pad_after for axis in self._axes]
        # Torch writes rows last. A padding that is the same on both sides belongs to the convolution.
        self._uneven = (
            None if before == after and min(before) >= 0 else (before[1], after[1], before[0], after[0])
        )
        self.phases = nn.Conv2d(
            inputs,
            channels * block**2,
            (rows.taps, columns.taps),
            padding=(0, 0) if self._uneven else (before[0], before[1]),
            bias=original.bias is not None,
        )
        self.phases.weight = nn.Parameter(weight.flatten(0, 2))
        if original.bias is not None:
            self.phases.bias = nn.Parameter(original.bias.detach().repeat(block**2))
        self.activation = activation or nn.Identity()

    def forward(self, value: Tensor) -> Tensor:
        """``[n, channels, height, width]`` to the same, larger."""
        height, width = (
            slice(axis.crop, axis.crop + axis.output_size(size))
            for axis, size in zip(self._axes, value.shape[2:], strict=True)
        )
        if self._uneven is not None:
            value = nn.functional.pad(value, self._uneven)
        phases = self.activation(self.phases(value)).permute(0, 2, 3, 1)
        full: Tensor = depth_to_space(phases, self._block)
        return full[:, height, width].permute(0, 3, 1, 2)


def has_phases(convolution: nn.ConvTranspose2d) -> bool:
    """Whether `PolyphaseConvTranspose2d` takes it: one stride of 2 or more, and nothing unusual."""
    rows, columns = convolution.stride
    plain = convolution.groups == 1 and convolution.dilation == (1, 1)
    return plain and rows == columns > 1


@dataclass(frozen=True)
class _Axis:
    """A transposed convolution along one axis."""

    kernel: int
    stride: int
    padding: int
    output_padding: int

    @classmethod
    def of(cls, convolution: nn.ConvTranspose2d, axis: int) -> _Axis:
        names = ("kernel_size", "stride", "padding", "output_padding")
        values: list[Any] = [getattr(convolution, name)[axis] for name in names]
        return cls(*values)

    @property
    def taps(self) -> int:
        """Of the convolution to all phases."""
        return math.ceil(self.kernel / self.stride)

    @property
    def crop(self) -> int:
        """What its output has too much at the start."""
        return self.padding % self.stride

    @property
    def pad_before(self) -> int:
        """Zeros that the input needs at its start."""
        return self.taps - 1 - self.padding // self.stride

    @property
    def pad_after(self) -> int:
        """Zeros that the input needs at its end."""
        beyond = self.kernel - 2 * self.padding + self.output_padding + self.crop
        return math.ceil(beyond / self.stride) - 1 + self.padding // self.stride

    def place(self, k: int) -> tuple[int, int]:
        """Phase and tap that the k-th weight belongs to."""
        return k % self.stride, self.taps - 1 - k // self.stride

    def output_size(self, size: int) -> int:
        """Of the transposed convolution."""
        return (size - 1) * self.stride + self.kernel - 2 * self.padding + self.output_padding
