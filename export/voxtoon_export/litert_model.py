"""TFLite files as objects that can be changed: reading, writing, and which layer an operator computes.

An operator that multiplies with weights computes a declared layer. Its weights bear the layer's name,
``conv1.weight``, as they do in the other formats: that is how a recipe, an audit, and a reader find it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

IDENTIFIER: Final = b"TFL3"
WEIGHT: Final = ".weight"
WEIGHTED: Final = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "FULLY_CONNECTED": 1,
    "TRANSPOSE_CONV": 1,
}
"""The kinds of operators that multiply with weights, and which of their inputs these are."""


def read(content: bytes) -> Any:
    """Return the ``ModelT`` of a file, with buffers that lie behind the table as well."""
    from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 stand for none
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def written(model: Any) -> bytes:
    """Return the file of a ``ModelT``."""
    import flatbuffers  # type: ignore[import-untyped]

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def kind(model: Any, operator: Any) -> str:
    """Return the name of what an operator does: ``CONV_2D``."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _kinds()[max(code.builtinCode, code.deprecatedBuiltinCode)]


def weighted(model: Any, graph: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each operator of a graph that multiplies with constant weights, and the tensor of these."""
    for operator in graph.operators:
        place = WEIGHTED.get(kind(model, operator))
        if place is not None:
            tensor = graph.tensors[operator.inputs[place]]
            if model.buffers[tensor.buffer].data is not None:
                yield operator, tensor


def layer_of(tensor: Any) -> str:
    """Return the declared name of the layer that weights belong to; empty where they bear none."""
    name: str = tensor.name.decode()
    return name.removesuffix(WEIGHT) if name.endswith(WEIGHT) else ""


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return the shape of a tensor as it is written."""
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def floats(model: Any, tensor: Any) -> NDArray[np.float32]:
    """Return the values of a constant tensor in float32."""
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
    return data.view(np.float32).reshape(shape_of(tensor))


def with_layer_names(content: bytes, layers: Sequence[tuple[str, int]]) -> bytes:
    """Return the model with its tensors named after the layers, each by a name of its own.

    The weights of a layer become ``<layer>.weight``, its bias ``<layer>.bias`` and its output ``<layer>``;
    what another operator makes is named after its first input and what it does, ``conv3.max_pool_2d``.

    Parameters
    ----------
    layers
        Name and number of weights of each layer that multiplies, in the order in which they are computed.

    Returns
    -------
    bytes
        As it was where the operators that multiply are not these: then no layer of it can be quantized.
    """
    model = read(content)
    found = [(graph, *item) for graph in model.subgraphs for item in weighted(model, graph)]
    if [math.prod(shape_of(weight)) for _, _, weight in found] != [size for _, size in layers]:
        return content
    names = {}
    for (name, _), (graph, operator, weight) in zip(layers, found, strict=True):
        weight.name = f"{name}{WEIGHT}".encode()
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            graph.tensors[operator.inputs[2]].name = f"{name}.bias".encode()
        names[id(operator)] = name
    for graph in model.subgraphs:
        _name_results(model, graph, names)
    return written(model)


def _name_results(model: Any, graph: Any, layers: Mapping[int, str]) -> None:
    taken = {tensor.name.decode() for tensor in graph.tensors}
    for operator in graph.operators:
        source: str = graph.tensors[operator.inputs[0]].name.decode()
        wanted = layers.get(id(operator), f"{source}.{kind(model, operator).lower()}")
        numbered = (f"{wanted}.{number}" for number in count(2))
        for index in operator.outputs:
            name = wanted if wanted not in taken else next(name for name in numbered if name not in taken)
            taken.add(name)
            graph.tensors[index].name = name.encode()


def _kinds() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
