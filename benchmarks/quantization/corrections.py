"""Equalisation and bias correction, each held against doing nothing: what of it would help.

Neither is part of `voxtoon quantize`; docs/quantization.md tells why, by the table that is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from voxtoon_quantize.formats import Inputs
from voxtoon_quantize.formats.onnx import OnnxPart
from voxtoon_quantize.graph import Graph, attribute, weight_name
from voxtoon_quantize.onnx_audit import session_of
from voxtoon_quantize.ranges import with_outputs
from voxtoon_quantize.recipe import Recipe

from .bench import QUALITY_HEADER, Bench, Table, quality_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLIPS = 24
_ELEMENTWISE = ("Relu", "MaxPool")
_LARGEST_SCALE = 8.0


def corrections(bench: Bench) -> Table:
    """One row each, alone and together."""
    recipe = Recipe(target="x86")
    equal = {name: _equalised(part) for name, part in bench.parts.items()}
    rows: Table = [("", *QUALITY_HEADER)]
    for labels, parts, made in (
        (("neither", "bias correction"), bench.parts, bench.made(recipe)),
        (("cross-layer equalisation", "both"), equal, bench.made(recipe, equal)),
    ):
        corrected = {
            name: _corrected(content, parts[name], _some_inputs(bench, name))
            for name, content in made.items()
        }
        for label, artefacts in zip(labels, (made, corrected), strict=True):
            rows.append((label, *quality_cells(bench.judged.quality(artefacts))))
    return rows


def _some_inputs(bench: Bench, name: str) -> list[Inputs]:
    """Inputs of speakers that are calibrated on, not judged."""
    from voxtoon.golden import frames_of

    encoder = bench.judged.floats["encoder"]
    frames: list[Inputs] = []
    for clip in bench.audio:
        frames.append({"frames": frames_of(clip.samples, bench.bundle.manifest.front_end)})
        if len(frames) == _CLIPS:
            break
    return frames if name == "encoder" else [{"feature": encoder.run(run)["feature"]} for run in frames]


def _equalised(part: OnnxPart) -> OnnxPart:
    """Scale the channels between two layers so that both have weights of like size: exact in float32.

    Nagel et al. (2019), section 4.1: of channel c, the first layer's weights are divided by
    ``sqrt(r1 / r2)`` and the second's multiplied by it, r being the largest of either.
    """
    graph = Graph(part.rewritten)
    for first, second, channels in _pairs(graph):
        weights, bias = graph.tensors[first.input[1]], graph.tensors[first.input[2]]
        after = graph.tensors[second.input[1]]
        count = after.shape[1]
        largest = np.zeros(count)
        np.maximum.at(largest, channels, np.abs(weights).reshape(len(weights), -1).max(axis=1))
        largest_after = np.abs(np.moveaxis(after, 1, 0)).reshape(count, -1).max(axis=1)
        dead = (largest == 0) | (largest_after == 0)
        scale = np.sqrt(np.where(dead, 1.0, largest) / np.where(dead, 1.0, largest_after))
        scale /= np.exp(np.log(scale).mean())  # of no layer as a whole
        scale = np.clip(scale, 1.0 / _LARGEST_SCALE, _LARGEST_SCALE).astype(np.float32)
        of_output = scale[channels]
        graph.set(first.input[1], weights / of_output.reshape(-1, *[1] * (weights.ndim - 1)))
        graph.set(first.input[2], bias / of_output)
        graph.set(second.input[1], after * scale.reshape(1, -1, *[1] * (after.ndim - 2)))
    return OnnxPart(part.name, graph.model().SerializeToString(), ())


def _pairs(graph: Graph) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto, NDArray[np.int64]]]:
    """Two layers with nothing but a ReLU, pools and a depth to space between.

    Yields
    ------
    tuple
        Both, and for each output channel of the first which input channel of the second it becomes.
    """
    for first in graph.nodes:
        if weight_name(graph, first) is None or len(first.input) < 3:
            continue
        channels = np.arange(len(graph.tensors[first.input[1]]))
        node, bent = graph.only_consumer(first.output[0]), False
        while node is not None and (node.op_type in _ELEMENTWISE or node.op_type == "DepthToSpace"):
            bent |= node.op_type == "Relu"
            if node.op_type == "DepthToSpace":
                block = attribute(node, "blocksize") ** 2
                in_depth = attribute(node, "mode", b"DCR") == b"DCR"
                channels = channels % (len(channels) // block) if in_depth else channels // block
            node = graph.only_consumer(node.output[0])
        if not bent or node is None or weight_name(graph, node) is None:
            continue
        if graph.tensors[node.input[1]].shape[1] == channels.max() + 1:
            yield first, node, channels


def _corrected(content: bytes, part: OnnxPart, inputs: Sequence[Inputs]) -> bytes:
    """Take the mean error of every channel off the biases, layer by layer, those before it corrected already.

    Nagel et al. (2019), section 4.2, in its empirical form.
    """
    reference = Graph(part.rewritten)
    outputs = [node.output[0] for node in reference.nodes if weight_name(reference, node) is not None]
    wanted = _channel_means(part.rewritten, outputs, inputs)
    corrected = Graph(onnx.load_from_string(content))
    for output in outputs:
        node = corrected.producer(output)
        restored = corrected.producer(node.input[2]) if node is not None and len(node.input) > 2 else None
        if restored is None:
            continue
        got = _channel_means(corrected.model(), [output], inputs)[output]
        bias, scale = restored.input[:2]
        steps = np.round((wanted[output] - got) / corrected.tensors[scale])
        corrected.set(bias, (corrected.tensors[bias] + steps).astype(np.int32))
    made: bytes = corrected.model().SerializeToString()
    return made


def _channel_means(
    model: onnx.ModelProto, tensors: Sequence[str], inputs: Sequence[Inputs]
) -> Mapping[str, NDArray[Any]]:
    """The mean of every channel (the second axis) of these tensors, over all runs."""
    import onnxruntime  # type: ignore[import-untyped]

    # In float, as the nodes say: what is quantized is not fused where its inside is looked at.
    basic = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    content = with_outputs(model, tensors).SerializeToString()
    session = session_of(onnxruntime, content, {}, graph_optimization_level=basic)
    runs = [session.run(list(tensors), dict(run)) for run in inputs]
    return {
        name: np.mean([_channel_mean(run[place]) for run in runs], axis=0)
        for place, name in enumerate(tensors)
    }


def _channel_mean(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.moveaxis(values, 1, -1).mean(axis=tuple(range(values.ndim - 1))))
