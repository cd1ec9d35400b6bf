"""Blocks of next to nothing: the scales of four bits are float16 in LiteRT, and the smallest become 0."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_SMALLEST: Final = np.nextafter(np.float16(0), np.float16(1))


def keep_scales_positive(model: Any) -> None:
    """Give blocks whose scale became zero the smallest there is; no weight changes by more than 5e-7.

    A trained layer has such blocks where nothing reads an output, and LiteRT loads no artefact with them.

    Parameters
    ----------
    model
        A ``ModelT``, which is changed.
    """
    from ai_edge_litert.schema_py_generated import BlockwiseQuantizationT  # type: ignore[import-untyped]

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            details = None if tensor.quantization is None else tensor.quantization.details
            if isinstance(details, BlockwiseQuantizationT):
                buffer = model.buffers[graph.tensors[details.scales].buffer]
                scales = np.frombuffer(bytes(buffer.data), np.float16)
                buffer.data = np.frombuffer(np.maximum(scales, _SMALLEST).tobytes(), np.uint8)
