"""Weights in fewer bits in Core ML, by coremltools.optimize: linear, in blocks, or as a palette."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

from .coreml_program import WEIGHTED, graph_pass, layer_of, registered
from .recipe import SCHEMES, Scheme

Indices = tuple[NDArray[Any], NDArray[np.uint8]]

_BINS: Final = 4096
_ROUNDS: Final = 30


def weight_passes(operations: Sequence[Any], schemes: Mapping[str, str]) -> list[Any]:
    """Return the passes that bring the weights of layers to their schemes.

    Parameters
    ----------
    operations
        Of the program.
    schemes
        Layer to the name of its scheme.

    Raises
    ------
    InputError
        Blocks are asked for a layer whose inputs they do not divide.
    """
    from coremltools.optimize.coreml import OptimizationConfig  # type: ignore[import-untyped]

    linear, palettes, halves = {}, {}, []
    for operation in operations:
        if operation.op_type not in WEIGHTED:
            continue
        layer = layer_of(operation.weight)
        scheme = SCHEMES[schemes.get(layer, "fp32")]
        name = operation.weight.op.name
        if scheme.palette:
            palettes[name] = _palette(scheme)
        elif scheme.weight_bits <= 8:
            linear[name] = _linear(operation, layer, scheme)
        elif scheme.weight_bits == 16:
            halves.append(layer)
    passes = []
    if linear:
        config = OptimizationConfig(op_name_configs=linear)
        passes.append(
            registered("compression::linear_quantize_weights", config=config, joint_compression=False)
        )
    if palettes:
        config = OptimizationConfig(op_name_configs=palettes)
        passes.append(registered("compression::palettize_weights", config=config, joint_compression=False))
    if halves:
        passes.append(graph_pass(lambda block: _halve(block, halves)))
    return passes


def _linear(operation: Any, layer: str, scheme: Scheme) -> Any:
    from coremltools.optimize.coreml import OpLinearQuantizerConfig

    bits: dict[str, Any] = {"mode": "linear_symmetric", "dtype": f"int{scheme.weight_bits}"}
    if scheme.block is None:
        return OpLinearQuantizerConfig(**bits, granularity="per_channel", weight_threshold=0)
    columns = operation.weight.shape[1]
    if operation.op_type != "linear" or columns % scheme.block:
        raise InputError(
            f"blocks of {scheme.block} for {layer}",
            got=f"{operation.op_type} of {columns} inputs",
            expected=f"a fully connected layer of a multiple of {scheme.block}",
            hint="use weight_wi8 or a palette",
        )
    return OpLinearQuantizerConfig(
        **bits, granularity="per_block", block_size=scheme.block, weight_threshold=0
    )


def _palette(scheme: Scheme) -> Any:
    from coremltools.optimize.coreml import OpPalettizerConfig

    def looked_up(weight: NDArray[Any]) -> Indices:
        return palette(weight, 2**scheme.weight_bits)

    return OpPalettizerConfig(mode="custom", lut_function=looked_up, weight_threshold=0)


def palette(weight: NDArray[Any], size: int) -> Indices:
    """Return a palette for weights, and the place of each weight's nearest colour in it.

    k-means in one dimension, on a histogram of 4096 bins, from a good guess on: the same weights give the
    same palette, however many they are.

    Parameters
    ----------
    weight
        Of any shape.
    size
        Of the palette.

    Returns
    -------
    lut, indices
        ``[size]`` in ascending order, and one place for each weight, flat.
    """
    flat = weight.astype(np.float64).ravel()
    counts, edges = np.histogram(flat, _BINS)
    values = (edges[1:] + edges[:-1]) / 2
    filled = counts > 0
    values, counts = values[filled], counts[filled]
    # The cube root of the density is how densely the best palette of many colours lies.
    shares = np.cumsum(np.cbrt(counts)) / np.cbrt(counts).sum()
    lut = values[np.minimum(np.searchsorted(shares, (np.arange(size) + 0.5) / size), len(values) - 1)]
    for _ in range(_ROUNDS):
        nearest = np.searchsorted((lut[1:] + lut[:-1]) / 2, values)
        weights = np.bincount(nearest, counts, size)
        sums = np.bincount(nearest, counts * values, size)
        lut = np.sort(np.where(weights > 0, sums / np.maximum(weights, 1), lut))
    found = lut.astype(weight.dtype)
    indices = np.searchsorted((found[1:] + found[:-1]) / 2, flat)
    return found, indices.astype(np.uint8)


def _halve(block: Any, layers: Sequence[str]) -> None:
    """Store the weights of layers in float16; they are multiplied in float32 as before."""
    from coremltools.converters.mil import Builder  # type: ignore[import-untyped]

    for operation in list(block.operations):
        if operation.op_type in WEIGHTED and layer_of(operation.weight) in layers:
            weight = operation.weight
            if weight.val.dtype == np.float16:
                continue
            restored = Builder.constexpr_cast(
                source_val=weight.val.astype(np.float16),
                output_dtype="fp32",
                name=f"{weight.name}_halved",
                before_op=operation,
            )
            block.replace_uses_of_var_after_op(
                anchor_op=restored.op, old_var=weight, new_var=restored, no_check_var_types=True
            )
