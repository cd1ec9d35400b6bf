"""Static integers in ONNX: nodes that quantize around the layers, which onnxruntime makes integer ones of.

Activations have one scale per tensor, from calibration; weights one per output channel, symmetric; biases
are int32. What only moves values (pools, reshapes, depth to space) stays on the grid of what it moves. The
state of a stream is on the grid of the layer that reads it, and stays in integers from call to call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

from .graph import Graph, layer_name
from .graph_state import Continued, continued, continued_in, sources
from .observers import Range
from .recipe import widens

if TYPE_CHECKING:
    import onnx

Activation = Literal["u8", "s8"]
_DTYPES: Final[Mapping[str, type[np.integer[Any]]]] = {"u8": np.uint8, "s8": np.int8}
_WEIGHT_LIMIT: Final = 127
_BIAS_LIMIT: Final = 2**31 - 1
_SMALLEST_SCALE: Final = 1e-12  # of what is zero everywhere


@dataclass(frozen=True)
class Grid:
    """The values that eight bits stand for: ``scale * (k - zero)``."""

    scale: np.float32
    zero: np.integer[Any]

    @classmethod
    def of(cls, low: float, high: float, activation: Activation) -> Grid:
        """Spread the 256 levels over a range that holds zero."""
        dtype = _DTYPES[activation]
        limits = np.iinfo(dtype)
        scale = np.float32(max((high - low) / 255.0, _SMALLEST_SCALE))
        return cls(scale, dtype(np.clip(round(limits.min - low / scale), limits.min, limits.max)))


def observed(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """Return the tensors whose ranges `quantized` needs, to quantize these layers."""
    return list(dict.fromkeys(_plan(Graph(model), layers).values()))


def observable(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """Return the tensors whose ranges `quantized` may need, whichever of these layers it is to quantize.

    The output of one is on the grid of the next where that is quantized, too, and on its own otherwise.
    """
    graph = Graph(model)
    plans = [_plan(graph, layers), *(_plan(graph, [layer]) for layer in layers)]
    return list(dict.fromkeys(root for plan in plans for root in plan.values()))


def squashed(model: onnx.ModelProto) -> set[str]:
    """Return the tensors that nothing but a sigmoid reads."""
    graph = Graph(model)
    return {
        node.input[0]
        for node in graph.nodes
        if node.op_type == "Sigmoid" and graph.only_consumer(node.input[0]) is node
    }


def quantized(
    model: onnx.ModelProto, ranges: Mapping[str, Range], *, layers: Collection[str], activation: Activation
) -> onnx.ModelProto:
    """Return the model with these layers in eight-bit integers.

    Parameters
    ----------
    model
        Float32, rewritten as far as it is to be.
    ranges
        Of every tensor in `observed`.
    layers
        Names of convolutions and fully connected layers.
    activation
        ``u8`` is the faster on x86 with VNNI, ``s8`` on ARM.

    Raises
    ------
    CheckError
        A range is missing.
    """
    graph = Graph(model)
    plan = _plan(graph, layers)
    missing = sorted(set(plan.values()) - ranges.keys())
    if missing:
        raise CheckError("a tensor was not calibrated", got=missing[0], expected="a range")
    grids = {root: Grid.of(*ranges[root], activation) for root in set(plan.values())}
    # Inputs' grids, before the inputs get other names.
    of_input = {id(node): grids[plan[node.input[0]]] for node in _layers(graph, layers)}
    states = continued_in(graph, [node.input[0] for node in _layers(graph, layers)])
    for node in _layers(graph, layers):
        _quantize_weights(graph, node, of_input[id(node)].scale)
    for state in states:
        _keep_in_integers(graph, state, grids[plan[state.output]])
    in_integers = {name for state in states for name in state.tensors}
    for tensor, root in plan.items():
        if tensor not in in_integers:
            _quantize_tensor(graph, tensor, root, grids[root])
    return graph.model()


def _layers(graph: Graph, layers: Collection[str]) -> list[onnx.NodeProto]:
    return [
        node for node in graph.nodes if node.op_type in ("Conv", "Gemm") and layer_name(graph, node) in layers
    ]


def _plan(graph: Graph, layers: Collection[str]) -> dict[str, str]:
    """Every tensor to be quantized, and the one whose range it has."""
    plan: dict[str, str] = {}
    for node in _layers(graph, layers):
        state = continued(graph, node.input[0])
        if state is not None:
            plan |= dict.fromkeys(state.tensors, state.output)
        else:
            chain = sources(graph, node.input[0])
            plan |= dict.fromkeys(chain, chain[-1])
        output = node.output[0]
        activation = graph.only_consumer(output)
        if activation is not None and activation.op_type == "Relu":
            output = activation.output[0]
        if output not in graph.outputs:
            plan.setdefault(output, output)
    return plan


def _keep_in_integers(graph: Graph, state: Continued, grid: Grid) -> None:
    """Move integers wherever state and what is new are moved: floats are rounded where they are made."""
    from onnx import helper

    scale, zero = _grid_tensors(graph, state.output, grid)
    for name in state.made:
        rounded = f"{name}.quantized"
        for reader in graph.consumers(name):
            if any(reader is mover for mover in state.movers):
                graph.rename_input(reader, name, rounded)
        _insert_after(graph, name, [helper.make_node("QuantizeLinear", [name, scale, zero], [rounded])])
    for name in (state.name, state.successor):
        graph.set_dtype(name, type(grid.zero))
    for name in state.read:
        restored = f"{name}.restored"
        for reader in graph.consumers(name):
            if not any(reader is mover for mover in state.movers):
                graph.rename_input(reader, name, restored)
        _insert_after(graph, name, [helper.make_node("DequantizeLinear", [name, scale, zero], [restored])])


def _grid_tensors(graph: Graph, root: str, grid: Grid) -> tuple[str, str]:
    scale = graph.set(f"{root}.grid_scale", np.asarray(grid.scale))
    return scale, graph.set(f"{root}.grid_zero", np.asarray(grid.zero))


def _insert_after(graph: Graph, name: str, nodes: list[onnx.NodeProto]) -> None:
    maker = graph.producer(name)
    if maker is None:
        graph.nodes[:0] = nodes
    else:
        graph.replace(maker, [maker, *nodes])


def _quantize_tensor(graph: Graph, tensor: str, root: str, grid: Grid) -> None:
    from onnx import helper

    scale, zero = _grid_tensors(graph, root, grid)
    quantized, restored = f"{tensor}.quantized", f"{tensor}.restored"
    for reader in graph.consumers(tensor):
        graph.rename_input(reader, tensor, restored)
    nodes = [
        helper.make_node("QuantizeLinear", [tensor, scale, zero], [quantized]),
        helper.make_node("DequantizeLinear", [quantized, scale, zero], [restored]),
    ]
    _insert_after(graph, tensor, nodes)


def _quantize_weights(graph: Graph, node: onnx.NodeProto, input_scale: np.float32) -> None:
    weight = node.input[1]
    values, scales = symmetric(graph.tensors[weight], one_scale=widens(graph.tensors[weight].shape))
    # Without zero points, zeros as they are, onnxruntime does not take a fully connected layer for integer.
    nodes = [_restored(graph, weight, values, scales, zeros=node.op_type == "Gemm")]
    node.input[1] = nodes[0].output[0]
    if len(node.input) > 2:
        bias, of_bias = node.input[2], scales * input_scale
        rounded = np.clip(np.round(graph.tensors[bias] / of_bias), -_BIAS_LIMIT, _BIAS_LIMIT)
        nodes.append(_restored(graph, bias, rounded.astype(np.int32), of_bias))
        node.input[2] = nodes[1].output[0]
    graph.replace(node, [*nodes, node])


def _restored(
    graph: Graph, name: str, values: NDArray[Any], scales: NDArray[np.float32], *, zeros: bool = False
) -> onnx.NodeProto:
    from onnx import helper

    names = [graph.set(f"{name}.quantized", values), graph.set(f"{name}.scale", scales)]
    if zeros:
        names.append(graph.set(f"{name}.zero", np.zeros(scales.shape, values.dtype)))
    return helper.make_node("DequantizeLinear", names, [f"{name}.restored"], axis=0)


def symmetric(
    weight: NDArray[Any], *, one_scale: bool = False
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return weights as int8 from -127 to 127, and their scales: one for each output channel, or one."""
    axes = tuple(range(0 if one_scale else 1, weight.ndim))
    largest = np.abs(weight).max(axis=axes, keepdims=True)
    spread = np.maximum(largest / _WEIGHT_LIMIT, _SMALLEST_SCALE).astype(np.float32)
    scales = spread.reshape(()) if one_scale else spread.ravel()
    return np.round(weight / spread).astype(np.int8), scales
