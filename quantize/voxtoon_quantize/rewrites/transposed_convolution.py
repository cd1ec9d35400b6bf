"""A transposed convolution as an ordinary one, of which onnxruntime has an integer kernel.

Output ``stride * m + a`` of a transposed convolution reads only every ``stride``-th of its weights. The
outputs of all ``stride`` x ``stride`` phases ``a`` come from one convolution of ``ceil(kernel / stride)``
taps with as many times the channels, which `DepthToSpace` then puts side by side. An activation that follows
is applied before that, where it is fused with the convolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, attribute, layer_name
from . import Rewrite

if TYPE_CHECKING:
    import onnx

_TO_THE_END: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Axis:
    """A transposed convolution along one axis, and what the ordinary one in its place needs."""

    kernel: int
    stride: int
    pad_start: int
    pad_end: int
    output_padding: int

    @property
    def taps(self) -> int:
        """Of the ordinary convolution."""
        return math.ceil(self.kernel / self.stride)

    @property
    def crop_start(self) -> int:
        """What its output has too much at the start."""
        return self.pad_start % self.stride

    @property
    def zeros_start(self) -> int:
        """Zeros that it needs before its input."""
        return self.taps - 1 - self.pad_start // self.stride

    @property
    def _size(self) -> int:
        """Of the cropped output, less ``stride`` times one less than the size of the input."""
        return self.kernel - self.pad_start - self.pad_end + self.output_padding

    @property
    def zeros_end(self) -> int:
        """Zeros that it needs behind its input."""
        return math.ceil((self._size + self.crop_start) / self.stride) + self.pad_start // self.stride - 1

    @property
    def crop_end(self) -> int:
        """What its output has too much at the end."""
        return -(self._size + self.crop_start) % self.stride

    def phase_and_tap(self, k: int) -> tuple[int, int]:
        """Where the k-th weight goes."""
        return k % self.stride, self.taps - 1 - k // self.stride


def apply(graph: Graph) -> list[str]:
    """Rewrite every transposed convolution that has phases; returns their layers."""
    rewritten = []
    for node in [node for node in graph.nodes if node.op_type == "ConvTranspose"]:
        layer = layer_name(graph, node)
        if layer is not None and (axes := _axes(graph, node)) is not None:
            _rewrite(graph, node, layer, axes)
            rewritten.append(layer)
    return rewritten


def _axes(graph: Graph, node: onnx.NodeProto) -> tuple[Axis, Axis] | None:
    kernel = graph.tensors[node.input[1]].shape[2:]
    if len(kernel) != 2:
        return None
    strides, extra = attribute(node, "strides", [1, 1]), attribute(node, "output_padding", [0, 0])
    pads = attribute(node, "pads", [0] * 4)
    first, second = (
        Axis(kernel[axis], strides[axis], pads[axis], pads[axis + 2], extra[axis]) for axis in (0, 1)
    )
    plain = attribute(node, "group", 1) == 1 and list(attribute(node, "dilations", [1, 1])) == [1, 1]
    plain = plain and attribute(node, "auto_pad", b"NOTSET") == b"NOTSET"
    plain = plain and attribute(node, "output_shape") is None
    whole = all(min(axis.zeros_start, axis.zeros_end) >= 0 for axis in (first, second))
    return (first, second) if plain and whole and first.stride == second.stride > 1 else None


def _rewrite(graph: Graph, node: onnx.NodeProto, layer: str, axes: tuple[Axis, Axis]) -> None:
    from onnx import helper

    rows, columns = axes
    weight = graph.set(node.input[1], phases(graph.tensors[node.input[1]], rows, columns))
    inputs = [node.input[0], weight]
    if len(node.input) > 2:
        inputs.append(graph.set(node.input[2], np.tile(graph.tensors[node.input[2]], rows.stride**2)))
    made = f"{layer}.phases"
    pads = [rows.zeros_start, columns.zeros_start, rows.zeros_end, columns.zeros_end]
    new = [helper.make_node("Conv", inputs, [made], kernel_shape=[rows.taps, columns.taps], pads=pads)]
    last, activation = node, graph.only_consumer(node.output[0])
    if activation is not None and activation.op_type in ("Relu", "LeakyRelu"):
        new.append(activation)
        last, made = activation, f"{layer}.activated"
        new[0].output[0], output = activation.input[0], activation.output[0]
        activation.output[0] = made
    else:
        output = node.output[0]
    new += _side_by_side(graph, layer, made, output, rows, columns)
    if last is not node:
        graph.replace(last, [])
    graph.replace(node, new)


def _side_by_side(
    graph: Graph, layer: str, source: str, output: str, rows: Axis, columns: Axis
) -> list[onnx.NodeProto]:
    from onnx import helper

    starts = [rows.crop_start, columns.crop_start]
    ends = [rows.crop_end, columns.crop_end]
    if not any(starts + ends):
        return [helper.make_node("DepthToSpace", [source], [output], blocksize=rows.stride, mode="DCR")]
    whole = f"{layer}.uncropped"
    crop = {
        "starts": starts,
        "ends": [-end if end else _TO_THE_END for end in ends],
        "axes": [2, 3],
    }
    names = [graph.set(f"{layer}.crop_{name}", np.array(values)) for name, values in crop.items()]
    return [
        helper.make_node("DepthToSpace", [source], [whole], blocksize=rows.stride, mode="DCR"),
        helper.make_node("Slice", [whole, *names], [output]),
    ]


def phases(weight: NDArray[Any], rows: Axis, columns: Axis) -> NDArray[Any]:
    """``[in, out, k, k]`` of the transposed convolution to ``[phases * out, in, taps, taps]``."""
    inputs, outputs = weight.shape[:2]
    shape = (rows.stride, columns.stride, outputs, inputs, rows.taps, columns.taps)
    found = np.zeros(shape, weight.dtype)
    for row in range(rows.kernel):
        for column in range(columns.kernel):
            (a, u), (b, v) = rows.phase_and_tap(row), columns.phase_and_tap(column)
            found[a, b, :, :, u, v] = weight[:, :, row, column].T
    return found.reshape(-1, inputs, rows.taps, columns.taps)


REWRITE: Final = Rewrite("transposed_as_convolution", order=3, apply=apply)
