"""The paper's widths, with random weights, in every recipe of a format: size, speed, integers.

Random weights have the sizes and the speed of trained ones; what becomes of faces only trained ones can tell.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Final

import numpy as np

from benchmarks.page import markdown
from voxtoon.errors import VoxtoonError
from voxtoon_export.lowering import CLIP_FRAMES, Content, format_named
from voxtoon_export.parts import PartSpec
from voxtoon_export.systems import Variant, variant
from voxtoon_quantize.formats import FloatPart, Inputs, QuantizedFormat, quantized_format, size_bytes
from voxtoon_quantize.recipe import SCHEMES, Override, Recipe
from voxtoon_quantize.timing import wall_ratio

_VARIANT: Final = "speech2face"
_TITLES: Final = {"onnx": "ONNX", "litert": "LiteRT", "coreml": "Core ML"}
_THREADS: Final = 2
_PARTS: Final = ("encoder", "decoder")
_FULLY_CONNECTED: Final = ("encoder.fc?", "decoder.texture_fc")
"""The layers that hold most of the weights."""


def full_size(name: str) -> Iterator[str]:
    """Every scheme of a format in both parts: what it is, and a table."""
    timed = f", {_THREADS} threads" if quantized_format(name).timed else ""
    yield f"{_TITLES[name]}, `{_VARIANT}`, random weights, 6 s of voice{timed}:"
    found = []
    for row in rows(quantized_format(name), variant(_VARIANT)):
        print(*row, sep="  ", file=sys.stderr, flush=True)  # it takes minutes
        found.append(row)
    yield markdown(found)


def rows(
    quantized: QuantizedFormat, declared: Variant, *, frames: int = CLIP_FRAMES
) -> Iterator[tuple[str, ...]]:
    """One row for each part and recipe, the header first."""
    faster = ("faster",) if quantized.timed else ()
    yield ("part", "recipe", "bytes", "smaller", *faster, "integer MACs")
    for part_name in _PARTS:
        spec = declared.parts[part_name]
        part = quantized.part(part_name, lowered(quantized.name, spec))
        yield (part_name, "fp32", f"{size_bytes(part.content):,}", "", *["" for _ in faster], "")
        yield from _of_part(quantized, part, [noise(spec, frames)])
        del part
        gc.collect()


def recipes(quantized: QuantizedFormat) -> dict[str, Recipe]:
    """Every scheme of a format: in all layers, or in the fully connected ones where it is for these alone."""
    found = {}
    for name in quantized.schemes:
        if SCHEMES[name].block is None and SCHEMES[name].factors is None:
            found[name] = Recipe(name, target="x86", observer="minmax")
        else:
            overrides = tuple(Override(where, name) for where in _FULLY_CONNECTED)
            label = f"static_wi8_ai8, {' '.join(_FULLY_CONNECTED)} as {name}"
            found[label] = Recipe(target="x86", observer="minmax", overrides=overrides)
    del found["fp32"]
    return found


def _of_part(quantized: QuantizedFormat, part: FloatPart, inputs: list[Inputs]) -> Iterator[tuple[str, ...]]:
    calibrated = part.calibrate(Recipe(observer="minmax"), inputs, for_factors=True)
    reference = quantized.load(part.content, precision="fp32", threads=_THREADS) if quantized.timed else None
    for label, recipe in recipes(quantized).items():
        schemes = recipe.schemes(part.name, part.layers)
        label = label.replace(" ".join(_FULLY_CONNECTED), _FULLY_CONNECTED[_PARTS.index(part.name)])
        try:
            content = calibrated.quantize(schemes, recipe)
            share = quantized.audit(content, inputs[0], recipe).mac_share
        except VoxtoonError as refused:
            reason = str(refused).rpartition("Error: ")[2]
            yield (part.name, label, f"refused: {reason}", "", *([""] if quantized.timed else []), "")
            continue
        cells = [f"{size_bytes(content):,}", f"{size_bytes(part.content) / size_bytes(content):.2f}x"]
        if reference is not None:
            candidate = quantized.load(content, precision="any", threads=_THREADS)
            cells.append(f"{wall_ratio(reference, candidate, inputs[0]):.2f}x")
            del candidate
        yield (part.name, label, *cells, f"{100 * share:.1f} %")


def lowered(name: str, spec: PartSpec) -> Content:
    """A part with random weights, the same every time, in a format."""
    import torch

    from voxtoon_export.network import build

    torch.manual_seed(0)
    with torch.no_grad():
        return format_named(name).lower(build(spec).eval(), spec, ["fp32"])["fp32"]


def noise(spec: PartSpec, frames: int) -> Inputs:
    """The input of one run."""
    shape = [frames if isinstance(size, str) else size for size in spec.input.shape]
    return {spec.input.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
