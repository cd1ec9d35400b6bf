"""What an ONNX artefact holds, told without running it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxtoon.errors import InputError

if TYPE_CHECKING:
    import onnx

_CONVERSIONS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "CastLike"}
_MOVES = {
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Concat",
    "Slice",
    "Gather",
    "Shape",
    "Split",
}
_MOVES |= {
    "Expand",
    "Tile",
    "Pad",
    "Identity",
    "Constant",
    "ConstantOfShape",
    "Size",
    "Range",
    "If",
    "Loop",
    "Scan",
}
_INDEX_TYPES = {6, 7, 9}  # TensorProto.INT32, INT64, BOOL: shapes, axes and masks, not weights


@dataclass(frozen=True)
class OnnxSummary:
    """Counts and shapes of a model.

    Attributes
    ----------
    inputs, outputs
        Shape by name; a dimension is a number, a name, or ``?``.
    opset
        Version of the standard operators.
    parameters
        Stored numbers that are not indices.
    operators
        How many of each type, the most frequent first.
    integer_operators, float_operators, other_operators
        Operators that compute in integers, that compute in floats, and that only convert or move numbers.
    """

    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]
    opset: int
    parameters: int
    operators: Mapping[str, int]
    integer_operators: int
    float_operators: int
    other_operators: int


def summarise(content: bytes) -> OnnxSummary:
    """Count what a model holds.

    Parameters
    ----------
    content
        The bytes of an ``.onnx`` file.

    Raises
    ------
    InputError
        When they are no ONNX model.
    ImportError
        When the package ``onnx`` is not installed.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_from_string(content)
    except DecodeError as error:
        raise InputError("not an ONNX model", got=error, expected="the content of an .onnx file") from error
    if not model.graph.node or not model.opset_import:
        raise InputError("not an ONNX model", got="no operators", expected="the content of an .onnx file")
    graphs = list(_graphs(model.graph))
    nodes = [node for graph in graphs for node in graph.node]
    kinds = Counter(kind for graph in graphs for kind in _kinds(graph))
    weights = [item for graph in graphs for item in graph.initializer]
    names = {item.name for item in weights}
    return OnnxSummary(
        inputs=_shapes(value for value in model.graph.input if value.name not in names),
        outputs=_shapes(model.graph.output),
        opset=max(
            (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0
        ),
        parameters=sum(math.prod(item.dims) for item in weights if item.data_type not in _INDEX_TYPES),
        operators=dict(Counter(node.op_type for node in nodes).most_common()),
        integer_operators=kinds["integer"],
        float_operators=kinds["float"],
        other_operators=kinds["other"],
    )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and those inside its operators: the branches of `If`, the bodies of loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _kinds(graph: onnx.GraphProto) -> Iterator[str]:
    """Tell for each operator what it computes in.

    An operator between `DequantizeLinear` and `QuantizeLinear` is written in floats and run in integers.
    """
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    readers = {(name, node.op_type) for node in graph.node for name in node.input}
    read_otherwise = {name for name, kind in readers if kind != "QuantizeLinear"}
    read_otherwise |= {value.name for value in graph.output}
    for node in graph.node:
        inputs = [name for name in node.input if name]
        between = inputs and dequantized.issuperset(inputs) and read_otherwise.isdisjoint(node.output)
        if node.op_type in _CONVERSIONS | _MOVES:
            yield "other"
        elif between or node.op_type.startswith("QLinear") or node.op_type.endswith("Integer"):
            yield "integer"
        else:
            yield "float"


def _shapes(values: Iterable[onnx.ValueInfoProto]) -> dict[str, tuple[int | str, ...]]:
    return {
        value.name: tuple(
            dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param or "?"
            for dimension in value.type.tensor_type.shape.dim
        )
        for value in values
    }
