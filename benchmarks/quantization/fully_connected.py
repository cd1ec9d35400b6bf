"""Ways of storing the first fully connected layer, which holds most weights of the full-size encoder.

What each way does to the feature is measured on the layer of a trained model; bytes are those of that layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from voxtoon.engines.onnx import load
from voxtoon.golden import frames_of
from voxtoon_export.evaluation.figures import angles_deg
from voxtoon_quantize.graph import Graph
from voxtoon_quantize.onnx_static import symmetric
from voxtoon_quantize.onnx_weights import four_bit_blocks
from voxtoon_quantize.ranges import with_outputs

from .bench import Bench, Table

Floats = NDArray[np.float32]

_LAYER = "fc1"
_RIDGE = 0.05  # of the mean energy of an input: what is seldom heard is not given up altogether
_ROUNDS = 25  # of k-means


def fully_connected(bench: Bench) -> Table:
    """One row for each way; the smaller the nearer the end."""
    model = bench.parts["encoder"].rewritten
    node = next(node for node in Graph(model).nodes if node.input[1:2] == [f"{_LAYER}.weight"])
    weights = np.asarray(Graph(model).tensors[f"{_LAYER}.weight"], np.float32)
    heard = _inputs_of(bench, model, node.input[0])
    float_bytes = weights.size * 4
    rows: Table = [(f"{_LAYER} as", "bytes", "smaller", "angle", "p95")]
    for label, stored, approximate in _ways(weights, heard):
        angles = _angles(bench, model, approximate)
        figures = f"{angles.mean():.3f}", f"{np.percentile(angles, 95):.3f}"
        rows.append((label, f"{stored:,}", f"{float_bytes / stored:.1f}x", *figures))
    return rows


def _ways(weights: Floats, heard: Floats) -> Iterator[tuple[str, int, Floats]]:
    """Name, bytes, and the weights as they are restored."""
    outputs, inputs = weights.shape
    values, scales = symmetric(weights)
    yield "8 bits, a scale per output", values.size + scales.nbytes, values * scales.reshape(-1, 1)
    palette = _palette(weights)
    for block in (32, 128):
        packed, scale = four_bit_blocks(weights, block)
        low, high = packed & 15, packed >> 4
        bits = np.stack([low, high], axis=-1).reshape(outputs, -1, block).astype(np.float32)
        restored = (bits - 8) * scale.reshape(outputs, -1, 1)
        yield (
            f"4 bits, a scale per {block}",
            packed.size + scale.nbytes,
            restored.reshape(outputs, -1)[:, :inputs],
        )
    yield "4 bits, a palette of 16", weights.size // 2 + 64, palette
    for share in (2, 4, 8):
        rank = outputs * inputs // (share * (outputs + inputs))
        for label, left, right in _factors(weights, heard, rank):
            a, b = (values * scales.reshape(-1, 1) for values, scales in (symmetric(left), symmetric(right)))
            stored = rank * (outputs + inputs) + 4 * (outputs + rank)
            yield f"rank {rank} in 8 bits, {label}", stored, np.asarray(a @ b, np.float32)


def _factors(weights: Floats, heard: Floats, rank: int) -> Iterator[tuple[str, Floats, Floats]]:
    """The best factors for white inputs, and for the inputs that were heard."""
    energy = heard.T @ heard / len(heard)
    energy += _RIDGE * np.trace(energy) / len(energy) * np.eye(len(energy), dtype=np.float32)
    lower = np.linalg.cholesky(energy.astype(np.float64))
    for label, root in (("by its weights", np.eye(len(energy))), ("by what it hears", lower)):
        u, s, vt = np.linalg.svd(weights @ root, full_matrices=False)
        right = np.linalg.solve(root.T, vt[:rank].T).T
        half = np.sqrt(s[:rank])
        yield label, np.asarray(u[:, :rank] * half, np.float32), np.asarray(half[:, None] * right, np.float32)


def _palette(weights: Floats) -> Floats:
    """Each weight as the nearest of 16 values: k-means from even quantiles."""
    flat = np.sort(weights.ravel())
    centres = np.quantile(flat, (np.arange(16) + 0.5) / 16)
    for _ in range(_ROUNDS):
        edges = np.searchsorted(flat, (centres[1:] + centres[:-1]) / 2)
        centres = np.array([part.mean() if len(part) else 0.0 for part in np.split(flat, edges)])
        centres.sort()
    nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, weights)
    return np.asarray(centres[nearest], np.float32)


def _inputs_of(bench: Bench, model: onnx.ModelProto, tensor: str) -> Floats:
    """What the layer hears, ``[runs, inputs]``, of speakers that are not judged."""
    session = load(with_outputs(model, [tensor]).SerializeToString(), precision="fp32", threads=1)
    spec = bench.bundle.manifest.front_end
    runs = [session.run({"frames": frames_of(clip.samples, spec)})[tensor] for clip in bench.audio]
    return np.concatenate([run.reshape(-1, run.shape[-1]) for run in runs])


def _angles(bench: Bench, model: onnx.ModelProto, weights: Any) -> NDArray[np.float64]:
    graph = Graph(model)
    graph.set(f"{_LAYER}.weight", np.asarray(weights, np.float32))
    changed = load(graph.model().SerializeToString(), precision="fp32", threads=1)
    pairs = [
        (bench.judged.floats["encoder"].run(run)["feature"][0], changed.run(run)["feature"][0])
        for run in bench.judged.inputs["encoder"]
    ]
    return np.asarray(angles_deg(*map(np.stack, zip(*pairs, strict=True))))
