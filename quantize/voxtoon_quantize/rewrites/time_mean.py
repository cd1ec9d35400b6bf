"""The mean over time taken before the last convolution instead of after it.

Both are linear, so that ``mean_t sum_k W[k] x[t s + k] = sum_k W[k] mean_t x[t s + k]``: as many means as the
kernel is long, and then one step of the convolution in the place of all. Exact where the convolution does not
pad the time axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..graph import Graph, attribute, layer_name
from . import Rewrite

if TYPE_CHECKING:
    import onnx

_TIME: Final = 2
_TO_THE_END: Final = np.iinfo(np.int64).max


def apply(graph: Graph) -> list[str]:
    """Commute every mean over time with the convolution before it; returns the convolutions."""
    moved = []
    for mean in [node for node in graph.nodes if node.op_type == "ReduceMean"]:
        convolution = graph.producer(mean.input[0])
        if convolution is not None and _is_exact(graph, convolution, mean):
            layer = layer_name(graph, convolution)
            assert layer is not None
            _move(graph, convolution, mean, layer)
            moved.append(layer)
    return moved


def _is_exact(graph: Graph, convolution: onnx.NodeProto, mean: onnx.NodeProto) -> bool:
    if convolution.op_type != "Conv" or graph.only_consumer(convolution.output[0]) is not mean:
        return False
    axes = graph.tensors.get(mean.input[1]) if len(mean.input) > 1 else attribute(mean, "axes")
    over_time = axes is not None and list(axes) == [_TIME] and attribute(mean, "keepdims", 1) == 1
    pads = list(attribute(convolution, "pads", [0] * 4))
    plain = not any(pads[0::2]) and attribute(convolution, "auto_pad", b"NOTSET") == b"NOTSET"
    return over_time and plain and list(attribute(convolution, "dilations", [1, 1])) == [1, 1]


def _move(graph: Graph, convolution: onnx.NodeProto, mean: onnx.NodeProto, layer: str) -> None:
    from onnx import helper

    kernel = graph.tensors[convolution.input[1]].shape[2]
    stride = attribute(convolution, "strides", [1, 1])[0]
    source, taps, nodes = convolution.input[0], [], []
    axis = graph.set(f"{layer}.time", np.array([_TIME]))
    step = graph.set(f"{layer}.stride", np.array([stride]))
    for tap in range(kernel):
        # Input tap + stride * t for every t that has an output, whatever is left over at the end.
        behind = kernel - 1 - tap
        start = graph.set(f"{layer}.start{tap}", np.array([tap]))
        end = graph.set(f"{layer}.end{tap}", np.array([-behind if behind else _TO_THE_END]))
        seen, taken = f"{layer}.seen{tap}", f"{layer}.mean{tap}"
        nodes.append(helper.make_node("Slice", [source, start, end, axis, step], [seen]))
        nodes.append(helper.make_node("ReduceMean", [seen, axis], [taken], keepdims=1))
        taps.append(taken)
    nodes.append(helper.make_node("Concat", taps, [f"{layer}.means"], axis=_TIME))
    graph.rename_input(convolution, source, f"{layer}.means")
    convolution.output[0] = mean.output[0]
    graph.replace(mean, [])
    graph.replace(convolution, [*nodes, convolution])


REWRITE: Final = Rewrite("mean_before_convolution", order=2, apply=apply)
