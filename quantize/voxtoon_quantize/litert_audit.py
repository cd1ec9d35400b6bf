"""What of a LiteRT artefact runs in integers, by which kernel: read from the loaded interpreter.

The types of an operator's tensors decide what LiteRT multiplies: integers with integers (static), or floats
that it turns into integers at every run, with integers (dynamic). Weights behind a ``DEQUANTIZE`` are
multiplied as floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from voxtoon.engines import litert
from voxtoon.verification import run_part
from voxtoon_export.litert_model import WEIGHTED, kind, layer_of, read, shape_of

from .audit import Audit, Operator
from .formats import Inputs

DELEGATE: Final = "XNNPACK"
_CONVERSIONS: Final = ("QUANTIZE", "DEQUANTIZE")
_IN_FLOAT: Final = "left in float32"


def audit(content: bytes, inputs: Inputs) -> Audit:
    """Load an artefact, run it once, and list its operators.

    Parameters
    ----------
    inputs
        Of one run. Multiplications are counted for the sizes that are written in the file.

    Raises
    ------
    CheckError
        LiteRT refuses the artefact, or cannot run it.
    """
    session = litert.load(content, precision="any", threads=1)
    assert isinstance(session, litert.LitertSession)
    run_part(session, inputs)
    in_delegate = _in_delegate(session.interpreter)
    model = read(content)
    (graph,) = model.subgraphs
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    found = []
    for operator in graph.operators:
        what = kind(model, operator)
        label = f"{what} ({DELEGATE})" if in_delegate(operator.outputs[0]) else what
        if what in WEIGHTED:
            found.append(_weighted(model, graph, operator, makers, label))
        elif what not in _CONVERSIONS:
            integer = all(_is_integer(graph.tensors[index]) for index in operator.outputs)
            found.append(Operator("", label, 0, None if integer else _IN_FLOAT))
    return Audit(tuple(found))


def _weighted(model: Any, graph: Any, operator: Any, makers: Mapping[int, Any], label: str) -> Operator:
    place = operator.inputs[WEIGHTED[kind(model, operator)]]
    reason, stored = None, graph.tensors[place]
    if place in makers:  # a DEQUANTIZE of what is stored
        reason, stored = "its weights alone are small", graph.tensors[makers[place].inputs[0]]
    elif not _is_integer(stored):
        reason = _IN_FLOAT
    macs = _macs(kind(model, operator), stored, graph.tensors[operator.outputs[0]])
    return Operator(layer_of(stored), label, macs, reason)


def _macs(what: str, weight: Any, output: Any) -> int:
    """``[out, height, width, in]`` of a convolution, ``[1, height, width, out]`` of one that is depthwise."""
    shape = shape_of(weight)
    each = math.prod(shape[1:3]) if what == "DEPTHWISE_CONV_2D" else math.prod(shape[1:])
    return math.prod(shape_of(output)) * each


def _is_integer(tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType  # type: ignore[import-untyped]

    return tensor.type in (TensorType.INT8, TensorType.INT4, TensorType.INT2)


def _in_delegate(interpreter: Any) -> Callable[[int], bool]:
    """Tell of a tensor whether the delegate makes it: what only the delegate sees has no place in memory."""
    made = {
        index
        for operator in interpreter._get_ops_details()
        if operator["op_name"] == "DELEGATE"
        for index in operator["outputs"]
    }

    def found(index: int) -> bool:
        if index in made:
            return True
        try:
            interpreter.get_tensor(index)
        except ValueError:
            return True
        return False

    return found
