"""A TFLite model in integers, by ai-edge-quantizer: our plan as its recipe, our ranges as its calibration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from voxtoon.errors import CheckError
from voxtoon_export.converter_noise import silenced
from voxtoon_export.litert_model import read

from .litert_integers import KEPT, keep_integers
from .litert_plan import Planned
from .observers import Range

if TYPE_CHECKING:
    from .recipe import Scheme

_NAMES: Final = {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}  # where ai-edge-quantizer has another
_MIN_MAX: Final = "min_max_uniform_quantize"
_CASTING: Final = "float_casting"
_ACTIVATIONS: Final = {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "INT"}


def quantized(content: bytes, plan: Sequence[Planned], ranges: Mapping[str, Range]) -> bytes:
    """Return the model with each operator as it is planned; what comes in and goes out stays float32.

    Parameters
    ----------
    content
        A float32 model.
    ranges
        Of every tensor that a static operator takes or makes, by name.

    Raises
    ------
    CheckError
        ai-edge-quantizer refused something: its words.
    """
    recipe = [entry for item in plan if (entry := _entry(item)) is not None]
    if not recipe:
        return content
    with silenced():
        from ai_edge_quantizer.quantizer import Quantizer  # type: ignore[import-untyped]

        try:
            quantizer = Quantizer(content, recipe)
            result = quantizer.quantize(
                _statistics(content, ranges) if quantizer.need_calibration else None,
                enable_progress_bar=False,
                enable_progress_report=False,
            )
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            raise CheckError("ai-edge-quantizer refused the recipe", got=error) from error
    return keep_integers(bytes(result.quantized_model))


def _statistics(content: bytes, ranges: Mapping[str, Range]) -> dict[str, dict[str, Any]]:
    """Ranges as calibration leaves them: an entry for every tensor, one number along each axis."""
    (graph,) = read(content).subgraphs
    found: dict[str, dict[str, Any]] = {}
    for tensor in graph.tensors:
        name = tensor.name.decode()
        if name in ranges:
            ones = (1,) * len(tensor.shape if tensor.shape is not None else ())
            ends = zip(("min", "max"), ranges[name], strict=True)
            found[name] = {end: np.full(ones, value, np.float32) for end, value in ends}
    return found


def _entry(item: Planned) -> dict[str, Any] | None:
    """The entry of ai-edge-quantizer's recipe for one operator, named by its result; None if it has none."""
    if item.kind in KEPT:
        return None
    operation = {
        "regex": f"^{re.escape(item.name)}(;|$)",
        "operation": _NAMES.get(item.kind, item.kind),
        "algorithm_key": _CASTING if item.treatment == "half" else _MIN_MAX,
    }
    return {**operation, "op_config": _config(item)}


def _config(item: Planned) -> dict[str, Any]:
    weights = _weights(item.scheme, one_scale=item.one_scale)
    if item.treatment == "static":
        return {
            "activation_tensor_config": _ACTIVATIONS,
            "weight_tensor_config": weights,
            "compute_precision": "INTEGER",
        }
    if item.treatment == "dynamic":
        return {"weight_tensor_config": weights, "compute_precision": "INTEGER"}
    if item.treatment == "half":
        weights = {"num_bits": 16, "dtype": "FLOAT"}
    return {"weight_tensor_config": weights, "compute_precision": "FLOAT", "explicit_dequantize": True}


def _weights(scheme: Scheme | None, *, one_scale: bool) -> dict[str, Any]:
    bits, block = (8, None) if scheme is None else (scheme.weight_bits, scheme.block)
    granularity = "TENSORWISE" if one_scale else "CHANNELWISE"
    return {
        "num_bits": bits,
        "symmetric": True,
        "granularity": granularity if block is None else f"BLOCKWISE_{block}",
        "dtype": "INT",
    }
