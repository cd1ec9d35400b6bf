"""Wide fully connected layers in LiteRT with a scale for each output that is kept beside the weights.

As ai-edge-quantizer stores them, the scales of many outputs take 12 bytes each: a float32, and a zero point
of 64 bits. Here all rows of the weights are made equally large, so that one scale fits all, and after the
layer a multiplication gives each output its size again: 4 bytes, and the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from voxtoon_export.litert_model import floats, kind, layer_of, read, shape_of, weighted, written

from .litert_plan import FULLY_CONNECTED
from .recipe import SCHEMES, widens

_SMALLEST: Final = 1e-12  # of a row of zeros


def with_even_rows(content: bytes, schemes: Mapping[str, str]) -> bytes:
    """Return a float32 model in which the rows of wide layers are equally large; the same but for rounding.

    Parameters
    ----------
    schemes
        Layer to the name of its scheme. Layers of static schemes stay: they give integers, on a grid.

    Returns
    -------
    bytes
        As it was where there is no such layer.
    """
    model = read(content)
    (graph,) = model.subgraphs
    wide = [
        (operator, weight)
        for operator, weight in weighted(model, graph)
        if kind(model, operator) == FULLY_CONNECTED
        and widens(shape_of(weight))
        and _in_eight_bits(schemes.get(layer_of(weight), "fp32"))
    ]
    for operator, weight in wide:
        _even(model, graph, operator, weight)
    return written(model) if wide else content


def _in_eight_bits(name: str) -> bool:
    return SCHEMES[name].weight_bits == 8 and SCHEMES[name].activations != "static"


def _even(model: Any, graph: Any, operator: Any, weight: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

    values = floats(model, weight)
    largest = np.maximum(np.abs(values).max(axis=1), _SMALLEST)
    sizes = np.asarray(largest / largest.max(), np.float32)
    _store(model, weight, values / sizes[:, np.newaxis])
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.tensors[operator.inputs[2]]
        _store(model, bias, floats(model, bias) / sizes)
    made = operator.outputs[0]
    result = graph.tensors[made]
    even = schema.TensorT()
    even.name, even.shape, even.type = result.name + b".even", result.shape, result.type
    even.shapeSignature = result.shapeSignature
    scale = schema.TensorT()
    scale.name, scale.shape = weight.name + b".sizes", [len(sizes)]
    scale.type, scale.buffer = schema.TensorType.FLOAT32, len(model.buffers)
    model.buffers.append(schema.BufferT())
    _store(model, scale, sizes)
    graph.tensors += [even, scale]
    multiply = schema.OperatorT()
    multiply.opcodeIndex = _multiplication(model)
    multiply.inputs = [len(graph.tensors) - 2, len(graph.tensors) - 1]
    multiply.outputs, operator.outputs = [made], [len(graph.tensors) - 2]
    multiply.builtinOptionsType = schema.BuiltinOptions.MulOptions
    multiply.builtinOptions = schema.MulOptionsT()
    graph.operators.insert(graph.operators.index(operator) + 1, multiply)


def _store(model: Any, tensor: Any, values: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    """Put values into the buffer of a tensor, or into one of its own where others read that, too."""
    users = [other for graph in model.subgraphs for other in graph.tensors if other.buffer == tensor.buffer]
    if len(users) > 1:
        from ai_edge_litert import schema_py_generated as schema

        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
    model.buffers[tensor.buffer].data = np.ascontiguousarray(values, np.float32).view(np.uint8).ravel()


def _multiplication(model: Any) -> int:
    """The number of the operator that multiplies, which is added where the model has none."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    code.version = 1
    for index, known in enumerate(model.operatorCodes):
        if max(known.builtinCode, known.deprecatedBuiltinCode) == code.builtinCode and known.version == 1:
            return index
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
