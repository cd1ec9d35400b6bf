"""What ai-edge-quantizer leaves in float, though LiteRT has it in integers: operators, and a state."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from voxtoon_export.litert_model import kind, read, written

from .graph_state import NEXT
from .litert_blocks import keep_scales_positive

KEPT: Final = {"DEPTH_TO_SPACE": 2, "LEAKY_RELU": 2}
"""Operators of which LiteRT has integer kernels, and the version of each that has them."""


def keep_integers(content: bytes) -> bytes:
    """Return a model in which nothing is made float only to be moved.

    An operator between ``DEQUANTIZE`` and ``QUANTIZE`` takes and gives integers then. Where both sides have
    the same grid nothing else is left; otherwise a change of grid follows what only moves values. A state
    comes in and goes out as the integers that are moved. Blocks have no scale of zero.
    """
    model = read(content)
    for graph in model.subgraphs:
        for operator in list(graph.operators):
            if kind(model, operator) in KEPT:
                _keep(model, graph, operator)
        _keep_states(model, graph)
        _without_unread(graph)
    keep_scales_positive(model)
    return written(model)


def _keep(model: Any, graph: Any, operator: Any) -> None:
    makers = {index: other for other in graph.operators for index in other.outputs}
    source, made = operator.inputs[0], operator.outputs[0]
    before = makers.get(source)
    after = [other for other in graph.operators if made in other.inputs]
    if before is None or kind(model, before) != "DEQUANTIZE" or not after or made in graph.outputs:
        return
    if any(kind(model, other) != "QUANTIZE" for other in after):
        return
    grid = graph.tensors[before.inputs[0]]
    operator.inputs = [before.inputs[0], *operator.inputs[1:]]
    result = graph.tensors[made]
    result.type, result.quantization = grid.type, grid.quantization
    code = model.operatorCodes[operator.opcodeIndex]
    code.version = max(code.version, KEPT[kind(model, operator)])
    for other in after:
        if _same_grid(graph.tensors[other.outputs[0]], grid):
            _read_instead(graph, other.outputs[0], made)


def _keep_states(model: Any, graph: Any) -> None:
    (signature,) = model.signatureDefs
    inputs, outputs = (
        {item.name.decode(): item for item in side} for side in (signature.inputs, signature.outputs)
    )
    for name in [name for name in inputs if NEXT + name in outputs]:
        begun, kept = inputs[name], outputs[NEXT + name]
        readers = [other for other in graph.operators if begun.tensorIndex in other.inputs]
        (maker,) = (other for other in graph.operators if kept.tensorIndex in other.outputs)
        if {kind(model, other) for other in readers} != {"QUANTIZE"} or kind(model, maker) != "DEQUANTIZE":
            continue
        first, last = readers[0].outputs[0], maker.inputs[0]
        for reader in readers:
            _read_instead(graph, reader.outputs[0], first)
            graph.operators.remove(reader)
        graph.inputs = [first if index == begun.tensorIndex else index for index in graph.inputs]
        graph.outputs = [last if index == kept.tensorIndex else index for index in graph.outputs]
        begun.tensorIndex, kept.tensorIndex = first, last


def _same_grid(one: Any, other: Any) -> bool:
    first, second = one.quantization, other.quantization
    return (
        one.type == other.type
        and np.array_equal(first.scale, second.scale)
        and np.array_equal(first.zeroPoint, second.zeroPoint)
    )


def _read_instead(graph: Any, old: int, new: int) -> None:
    for operator in graph.operators:
        operator.inputs = [new if index == old else index for index in operator.inputs]
    graph.outputs = [new if index == old else index for index in graph.outputs]


def _without_unread(graph: Any) -> None:
    """Drop operators whose results nothing reads; their tensors stay, empty."""
    while True:
        read_ = {*graph.outputs, *(index for operator in graph.operators for index in operator.inputs)}
        kept = [operator for operator in graph.operators if read_.intersection(operator.outputs)]
        if len(kept) == len(graph.operators):
            return
        graph.operators = kept
