"""Batch norm that follows an activation, folded forward into the next convolution or fully connected layer.

``W * (alpha x + beta) = (W alpha) * x + sum(W) beta``: exact, negative scales included, where the convolution
has no padding. Where it pads with zeros, the zeros stand for ``-beta / alpha`` of the folded map: there the
map is shifted by ``beta / alpha`` first, so that zero is right again, and the multiplication alone is saved.
Between both there may be a flattening, a max pool where no scale is negative, other orders of the axes, and
the state of a stream: it then holds the map as it is before the norm. No output that counts sees what it
holds at the start: where padding is seen a mask stands between
(`voxtoon_export.streaming.plan.StepRow.masked`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, attribute, layer_name
from ..graph_state import is_continued_state, is_kept
from . import Rewrite

if TYPE_CHECKING:
    import onnx

Floats = NDArray[np.float64]
_CHANNEL: Final = 1
"""The axis of the channel wherever a layer reads a map."""


def apply(graph: Graph) -> list[str]:
    """Fold wherever it is exact; returns the layers that took a batch norm in."""
    folded = []
    for norm in [node for node in graph.nodes if node.op_type == "BatchNormalization"]:
        scale, shift = _scale_and_shift(graph, norm)
        target = _target(graph, norm.output[0], pooled=bool((scale >= 0.0).all()))
        if target is None or not _takes(graph, target, scale):
            continue
        if _has_padding(target):
            _keep_shift(graph, norm, shift / scale)
            _fold(graph, target, scale, None)
        else:
            _bypass(graph, norm)
            _fold(graph, target, scale, shift)
        folded.append(layer_name(graph, target) or target.name)
    return folded


def _scale_and_shift(graph: Graph, norm: onnx.NodeProto) -> tuple[Floats, Floats]:
    weight, bias, mean, variance = (graph.tensors[name].astype(np.float64) for name in norm.input[1:5])
    scale = weight / np.sqrt(variance + attribute(norm, "epsilon", 1e-5))
    return scale, bias - mean * scale


def _target(graph: Graph, name: str, *, pooled: bool) -> onnx.NodeProto | None:
    """The layer that reads a tensor, through nothing that a scale and a shift per channel do not pass."""
    channel = _CHANNEL
    while (node := _reader(graph, name)) is not None:
        kind = node.op_type
        of_time = kind == "Slice" or is_continued_state(graph, node)
        if kind == "Transpose":
            channel = list(attribute(node, "perm")).index(channel)
        elif channel != _CHANNEL and not of_time:
            return None
        elif kind in ("Conv", "Gemm"):
            return node if node.input[0] == name and layer_name(graph, node) is not None else None
        elif not (of_time or kind in ("Reshape", "Flatten") or (kind == "MaxPool" and pooled)):
            return None
        name = node.output[0]
    return None


def _reader(graph: Graph, name: str) -> onnx.NodeProto | None:
    """The one node that reads a tensor, besides what keeps it for the next call of a stream."""
    readers = [node for node in graph.consumers(name) if not is_kept(graph, node)]
    return readers[0] if len(readers) == 1 and name not in graph.outputs else None


def _takes(graph: Graph, target: onnx.NodeProto, scale: Floats) -> bool:
    columns = graph.tensors[target.input[1]].shape[1]
    if target.op_type == "Gemm":
        transposed = (attribute(target, "transA", 0), attribute(target, "transB", 0)) == (0, 1)
        return transposed and columns % len(scale) == 0
    if columns != len(scale):  # the map was made of a normalised vector
        return False
    if attribute(target, "group", 1) != 1 or attribute(target, "auto_pad", b"NOTSET") != b"NOTSET":
        return False
    return not _has_padding(target) or bool((scale != 0.0).all())


def _has_padding(target: onnx.NodeProto) -> bool:
    return target.op_type == "Conv" and any(attribute(target, "pads", [0]))


def _fold(graph: Graph, target: onnx.NodeProto, scale: Floats, shift: Floats | None) -> None:
    name = target.input[1]
    weight = graph.tensors[name]
    # A flattened map is channel-major: every channel is a run of columns.
    per_column = np.repeat(scale, weight.shape[1] // len(scale))
    columns = (1, -1) + (1,) * (weight.ndim - 2)
    if shift is not None:
        of_columns = np.repeat(shift, weight.shape[1] // len(shift)).reshape(columns)
        _add_to_bias(graph, target, (weight * of_columns).sum(axis=tuple(range(1, weight.ndim))))
    graph.tensors[name] = (weight * per_column.reshape(columns)).astype(weight.dtype)


def _add_to_bias(graph: Graph, target: onnx.NodeProto, added: NDArray[Any]) -> None:
    dtype = graph.tensors[target.input[1]].dtype
    if len(target.input) < 3:
        target.input.append(graph.set(f"{layer_name(graph, target)}.bias", np.zeros(len(added), dtype)))
    name = target.input[2]
    graph.tensors[name] = (graph.tensors[name].astype(np.float64) + added).astype(dtype)


def _bypass(graph: Graph, norm: onnx.NodeProto) -> None:
    for reader in graph.consumers(norm.output[0]):
        graph.rename_input(reader, norm.output[0], norm.input[0])
    graph.replace(norm, [])


def _keep_shift(graph: Graph, norm: onnx.NodeProto, shift: Floats) -> None:
    from onnx import helper

    dtype = graph.tensors[norm.input[1]].dtype
    name = graph.set(f"{norm.input[1].rpartition('.')[0]}.shift", shift.astype(dtype).reshape(1, -1, 1, 1))
    graph.replace(norm, [helper.make_node("Add", [norm.input[0], name], [norm.output[0]])])


REWRITE: Final = Rewrite("fold_batch_norm", order=1, apply=apply)
