"""A pass over TFLite files: float16 weights."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from voxtoon_export.litert_model import read, written
from voxtoon_export.onnx_graph import FLOAT32_SHARE, halved


def with_float16_weights(content: bytes, *, float32_share: float = FLOAT32_SHARE) -> bytes:
    """Return the model with its weights in float16: half the file, the same computation.

    A `DEQUANTIZE` stands before each use, which runtimes carry out once, as they load the model. The smallest
    tensors, up to `float32_share` of all values, stay as they are, as in `onnx_graph.with_float16_weights`.

    Parameters
    ----------
    content
        A TFLite file.

    Raises
    ------
    CheckError
        A weight is beyond what float16 holds.
    """
    from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

    model = read(content)
    constants = {
        tensor.buffer: len(model.buffers[tensor.buffer].data) // 4
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.type == schema.TensorType.FLOAT32 and model.buffers[tensor.buffer].data is not None
    }
    ordered = sorted(constants, key=lambda buffer: (constants[buffer], buffer))
    sums = np.cumsum([constants[buffer] for buffer in ordered])
    chosen = {buffer for buffer, size in zip(ordered, sums, strict=True) if size > float32_share * sums[-1]}
    for graph in model.subgraphs:
        _dequantize(model, graph, chosen)
    for buffer in chosen:
        values = np.asarray(model.buffers[buffer].data, np.uint8).view(np.float32)
        model.buffers[buffer].data = halved(values, _name(model, buffer)).view(np.uint8)
    return written(model)


def _dequantize(model: Any, graph: Any, buffers: Collection[int]) -> None:
    """Make the tensors of some buffers the results of operators on new ones, which have the buffers."""
    from ai_edge_litert import schema_py_generated as schema

    made = []
    for index, tensor in enumerate(list(graph.tensors)):
        if tensor.buffer not in buffers:
            continue
        stored = schema.TensorT()
        stored.name, stored.shape = tensor.name + b"_fp16", tensor.shape
        stored.type, stored.buffer = schema.TensorType.FLOAT16, tensor.buffer
        tensor.buffer = 0  # the empty one
        graph.tensors.append(stored)
        operator = schema.OperatorT()
        operator.opcodeIndex = _dequantize_code(model)
        operator.inputs, operator.outputs = [len(graph.tensors) - 1], [index]
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        made.append(operator)
    graph.operators = [*made, *graph.operators]


def _dequantize_code(model: Any) -> int:
    from ai_edge_litert import schema_py_generated as schema

    dequantize = schema.BuiltinOperator.DEQUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == dequantize:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = dequantize
    code.version = 3  # the first with float16
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _name(model: Any, buffer: int) -> str:
    """Say what a buffer holds: the tensors of that name are float16 by now."""
    names = [tensor.name for graph in model.subgraphs for tensor in graph.tensors if tensor.buffer == buffer]
    return str(names[0].decode().removesuffix("_fp16"))
