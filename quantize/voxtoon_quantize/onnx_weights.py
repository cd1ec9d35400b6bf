"""Weights in fewer bits in ONNX; activations in float, or in integers whose scale is found at every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError, InputError

from .graph import Graph, attribute, layer_name
from .onnx_static import symmetric
from .recipe import SCHEMES, Scheme, widens

if TYPE_CHECKING:
    import onnx

_CONTRIBUTED: Final = "com.microsoft"
_MIDDLE: Final = 8  # what four bits without a sign stand for zero with


def with_light_weights(model: onnx.ModelProto, schemes: Mapping[str, str]) -> onnx.ModelProto:
    """Return the model with the weights of layers in fewer bits.

    Parameters
    ----------
    schemes
        Layer to the name of its scheme; layers of static schemes are left alone, for `quantized`.

    Raises
    ------
    InputError
        Four bits are asked for a layer that is not fully connected.
    CheckError
        A weight is beyond what float16 holds.
    """
    graph = Graph(model)
    for node in list(graph.nodes):
        name = schemes.get(layer_name(graph, node) or "")
        if name is not None and (change := _change(SCHEMES[name])) is not None:
            change(graph, node, SCHEMES[name])
    return graph.model()


def _change(scheme: Scheme) -> Callable[[Graph, onnx.NodeProto, Scheme], None] | None:
    if scheme.activations == "static":
        return None
    if scheme.activations == "dynamic":
        return _dynamic
    return {32: None, 16: _half, 8: _eight_bits, 4: _four_bits}[scheme.weight_bits]


def _half(graph: Graph, node: onnx.NodeProto, scheme: Scheme) -> None:
    from onnx import TensorProto, helper

    weight = node.input[1]
    with np.errstate(over="ignore"):
        halved = graph.tensors[weight].astype(np.float16)
    if not np.isfinite(halved).all():
        raise CheckError(f"{weight} cannot be float16", expected="weights of at most 65504")
    stored = graph.set(f"{weight}.half", halved)
    node.input[1] = f"{weight}.restored"
    cast = helper.make_node("Cast", [stored], [node.input[1]], to=TensorProto.FLOAT)
    graph.replace(node, [cast, node])


def _eight_bits(graph: Graph, node: onnx.NodeProto, scheme: Scheme) -> None:
    from onnx import TensorProto, helper

    weight = node.input[1]
    axis = 1 if node.op_type == "ConvTranspose" else 0
    values, scales = symmetric(np.moveaxis(graph.tensors[weight], axis, 0))
    spread = scales.reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    stored = graph.set(f"{weight}.quantized", np.moveaxis(values, 0, axis))
    scale = graph.set(f"{weight}.scale", spread)
    node.input[1] = f"{weight}.restored"
    # Not DequantizeLinear, which onnxruntime would compute anew at every run: these are folded as it loads.
    cast = helper.make_node("Cast", [stored], [f"{weight}.float"], to=TensorProto.FLOAT)
    restore = helper.make_node("Mul", [f"{weight}.float", scale], [node.input[1]])
    graph.replace(node, [cast, restore, node])


def _four_bits(graph: Graph, node: onnx.NodeProto, scheme: Scheme) -> None:
    from onnx import helper

    weight, layer = graph.tensors[node.input[1]], layer_name(graph, node)
    if node.op_type != "Gemm" or attribute(node, "transB", 0) != 1:
        raise InputError(
            f"four bits for {layer}", got=node.op_type, expected="a fully connected layer", hint="use eight"
        )
    assert scheme.block is not None
    packed, scales = four_bit_blocks(weight, scheme.block)
    inputs = [
        node.input[0],
        graph.set(f"{layer}.weight.quantized", packed),
        graph.set(f"{layer}.weight.scale", scales),
    ]
    product = f"{layer}.product"
    outputs, columns = weight.shape
    nodes = [
        helper.make_node(
            "MatMulNBits",
            inputs,
            [product],
            domain=_CONTRIBUTED,
            K=columns,
            N=outputs,
            bits=4,
            block_size=scheme.block,
        )
    ]
    graph.replace(node, [*nodes, *_biased(node, product)])


def _biased(node: onnx.NodeProto, product: str) -> list[onnx.NodeProto]:
    """What gives a fully connected layer's output, from the product of its weights."""
    from onnx import helper

    if len(node.input) > 2:
        return [helper.make_node("Add", [product, node.input[2]], [node.output[0]])]
    return [helper.make_node("Identity", [product], [node.output[0]])]


def _dynamic(graph: Graph, node: onnx.NodeProto, scheme: Scheme) -> None:
    from onnx import TensorProto, helper

    if node.op_type not in ("Conv", "Gemm"):
        return  # the audit tells of it
    layer, weight = layer_name(graph, node), graph.tensors[node.input[1]]
    values, scales = symmetric(weight, one_scale=widens(weight.shape))
    convolution = node.op_type == "Conv"
    stored = graph.set(f"{layer}.weight.quantized", values if convolution else values.T)
    scales = scales.reshape(1, -1, 1, 1) if convolution else scales.reshape(-1)
    scale = graph.set(f"{layer}.weight.scale", scales)
    seen, step, zero, summed, product = (
        f"{layer}.{name}" for name in ("seen", "step", "zero", "sum", "product")
    )
    kind = "ConvInteger" if convolution else "MatMulInteger"
    multiply = helper.make_node(kind, [seen, stored, zero], [summed])
    if convolution:
        multiply.attribute.extend(node.attribute)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", [node.input[0]], [seen, step, zero]),
        multiply,
        helper.make_node("Cast", [summed], [f"{summed}.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [step, scale], [f"{step}.both"]),
        helper.make_node("Mul", [f"{summed}.float", f"{step}.both"], [product]),
    ]
    if convolution and len(node.input) > 2:
        bias = graph.tensors[node.input[2]]
        node.input[2] = graph.set(f"{node.input[2]}.spread", bias.reshape(1, -1, 1, 1))
    graph.replace(node, [*nodes, *_biased(node, product)])


def four_bit_blocks(weight: NDArray[Any], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pack a matrix into four bits per weight, as onnxruntime's `MatMulNBits` reads it.

    Parameters
    ----------
    weight
        ``[outputs, inputs]``.
    block
        Weights of a row that share a scale, a power of two of 16 or more.

    Returns
    -------
    tuple
        ``[outputs, blocks, block / 2]`` bytes, the first weight in the lower half, and ``[outputs * blocks]``
        scales. A weight is ``scale * (bits - 8)``; the value farthest from zero is hit exactly, by -8.
    """
    outputs, inputs = weight.shape
    blocks = -(-inputs // block)
    padded = np.pad(np.asarray(weight, np.float64), ((0, 0), (0, blocks * block - inputs)))
    parts = padded.reshape(outputs, blocks, block)
    largest = np.take_along_axis(parts, np.abs(parts).argmax(axis=2)[..., None], axis=2)
    scales = np.where(largest == 0.0, 1.0, largest / -_MIDDLE)
    bits = np.clip(np.round(parts / scales) + _MIDDLE, 0, 15).astype(np.uint8)
    packed: NDArray[np.uint8] = bits[..., 0::2] | (bits[..., 1::2] << np.uint8(4))
    return packed, scales.astype(np.float32).ravel()
