"""A fully connected layer as two thinner ones, along the directions that its outputs take on real voices.

The best approximation of a rank for the inputs that are heard is the projection of the outputs on the leading
eigenvectors of their covariance: ``W x`` becomes ``P (P^T W) x``. Plain factors of the weights, which are
best for inputs of no structure, turn the feature three times as far (docs/quantization.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

from .graph import Graph, attribute, layer_name
from .ranges import with_outputs

if TYPE_CHECKING:
    import onnx

    from .formats import Inputs

Directions = NDArray[np.float64]
INNER: Final = ("right", "left")
"""What the two layers are called, after the one they come of; the first reads its input."""

_RIDGE: Final = 0.05  # of the mean energy of an input: what was seldom heard is not given up altogether


def rank_of(weight: NDArray[Any], share: int) -> int:
    """Return the rank at which two factors have one in so many of the weights of a matrix."""
    outputs, inputs = (int(size) for size in weight.shape)
    return max(1, outputs * inputs // (share * (outputs + inputs)))


def heard_by(
    model: onnx.ModelProto, layers: Sequence[str], inputs: Iterable[Inputs]
) -> dict[str, NDArray[np.float32]]:
    """Return what each of some fully connected layers is given, ``[rows, inputs]``.

    Raises
    ------
    InputError
        One of them is not fully connected.
    """
    from voxtoon.engines.onnx import load

    graph = Graph(model)
    read = {layer: _node(graph, layer).input[0] for layer in layers}
    inner = [name for name in dict.fromkeys(read.values()) if graph.producer(name) is not None]
    session = load(with_outputs(model, inner).SerializeToString(), precision="fp32", threads=None)
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in read.values()}
    for run in inputs:
        found = {**session.run(run), **run}
        for name, seen in rows.items():
            seen.append(found[name].reshape(-1, found[name].shape[-1]))
    return {layer: np.concatenate(rows[name]) for layer, name in read.items()}


def directions_of(model: onnx.ModelProto, layer: str, heard: NDArray[Any]) -> Directions:
    """Return the directions of a fully connected layer's outputs, the leading first.

    Parameters
    ----------
    heard
        What the layer was given, ``[rows, inputs]``.

    Returns
    -------
    array
        Orthonormal columns ``[outputs, n]``: as many as the smaller side of the weights has.
    """
    graph = Graph(model)
    weight = np.asarray(graph.tensors[_node(graph, layer).input[1]], np.float64)
    ridge = _RIDGE * np.mean(np.square(heard, dtype=np.float64))
    if weight.shape[0] <= weight.shape[1]:
        outputs = heard @ weight.T
        _, vectors = np.linalg.eigh(outputs.T @ outputs / len(outputs) + ridge * (weight @ weight.T))
        return np.asarray(vectors[:, ::-1], np.float64)
    # Of many more outputs than inputs there are no more directions than inputs.
    energy = heard.T.astype(np.float64) @ heard / len(heard) + ridge * np.eye(weight.shape[1])
    left, _, _ = np.linalg.svd(weight @ np.linalg.cholesky(energy), full_matrices=False)
    return np.asarray(left, np.float64)


def with_factors(
    model: onnx.ModelProto, shares: Mapping[str, int], directions: Mapping[str, Directions]
) -> onnx.ModelProto:
    """Return the model with layers as two: ``<layer>.right`` and, with the bias, ``<layer>.left``.

    Both are computed in float, being next to no work: on a grid of eight bits what passes between them, of
    very unequal size, cost twice the angle that the factors themselves do.

    Parameters
    ----------
    shares
        Layer to the share of its weights that the two have, as one in so many.
    directions
        Of these layers.
    """
    from onnx import helper

    graph = Graph(model)
    for layer, share in shares.items():
        node = _node(graph, layer)
        weight = graph.tensors[node.input[1]]
        left = directions[layer][:, : rank_of(weight, share)]
        right = left.T @ weight
        names = [f"{layer}.{side}" for side in INNER]
        for name, values in zip(names, (right, left), strict=True):
            graph.set(f"{name}.weight", np.asarray(values, np.float32))
        inner = f"{layer}.inner"
        inputs = [inner, f"{names[1]}.weight", *node.input[2:]]
        graph.replace(
            node,
            [
                helper.make_node("Gemm", [node.input[0], f"{names[0]}.weight"], [inner], transB=1),
                helper.make_node("Gemm", inputs, list(node.output), transB=1),
            ],
        )
    return graph.model()


def _node(graph: Graph, layer: str) -> onnx.NodeProto:
    node = next(node for node in graph.nodes if layer_name(graph, node) == layer)
    if node.op_type != "Gemm" or attribute(node, "transB", 0) != 1:
        raise InputError(f"factors of {layer}", got=node.op_type, expected="a fully connected layer")
    return node
