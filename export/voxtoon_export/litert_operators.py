"""Two operators of TFLite that torch has no one operator for, so that each arrives there as one.

Written out in torch, `depth_to_space` becomes reshapes and a transpose of six axes, which accelerators
refuse, and the mean over time a sum divided by a fixed length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


@torch.library.custom_op("voxtoon::depth_to_space", mutates_args=())
def depth_to_space(value: Tensor, block: int) -> Tensor:
    """Move channels into space, as TFLite does.

    Parameters
    ----------
    value
        ``[n, height, width, block * block * channels]``, the channel counting faster than row and column.
    block
        How many times the output is as high and as wide.

    Returns
    -------
    Tensor
        ``[n, block * height, block * width, channels]``.
    """
    n, height, width, depth = value.shape
    channels = depth // block**2
    split = value.reshape(n, height, width, block, block, channels).permute(0, 1, 3, 2, 4, 5)
    return split.reshape(n, block * height, block * width, channels).clone()


@torch.library.custom_op("voxtoon::time_mean", mutates_args=())
def time_mean(value: Tensor) -> Tensor:
    """Mean over time, which stays with size 1: ``[n, time, ...]`` to ``[n, 1, ...]``."""
    return value.mean(dim=1, keepdim=True)


@depth_to_space.register_fake
def _depth_to_space_shape(value: Tensor, block: int) -> Tensor:
    n, height, width, depth = value.shape
    return value.new_empty(n, block * height, block * width, depth // block**2)


@time_mean.register_fake
def _time_mean_shape(value: Tensor) -> Tensor:
    return value.new_empty(value.shape[0], 1, *value.shape[2:])


def register_lowerings() -> None:
    """Tell litert-torch which operators of TFLite the two are."""
    import numpy as np
    from litert_converter.mlir import ir  # type: ignore[import-untyped]
    from litert_converter.mlir.dialects import stablehlo  # type: ignore[import-untyped]
    from litert_torch.backend import lowerings  # type: ignore[import-untyped]

    def operator(name: str, shape: list[int], operands: list[Any], attributes: dict[str, Any]) -> Any:
        result = ir.RankedTensorType.get(shape, operands[0].type.element_type)
        return ir.Operation.create(name, [result], operands, attributes).result

    def lower_depth_to_space(context: Any, value: Any, block: int) -> Any:
        n, height, width, depth = value.type.shape
        shape = [n, block * height, block * width, depth // block**2]
        size = ir.IntegerAttr.get(ir.IntegerType.get_signless(32), block)
        return operator("tfl.depth_to_space", shape, [value], {"block_size": size})

    def lower_time_mean(context: Any, value: Any) -> Any:
        n, _, *rest = value.type.shape
        axes = stablehlo.constant(ir.DenseElementsAttr.get(np.array([1], np.int32)))
        return operator("tfl.mean", [n, 1, *rest], [value, axes], {"keep_dims": ir.BoolAttr.get(True)})

    lowerings.lower(torch.ops.voxtoon.depth_to_space.default)(lower_depth_to_space)
    lowerings.lower(torch.ops.voxtoon.time_mean.default)(lower_time_mean)
