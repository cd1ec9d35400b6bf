"""The paper's widths, with random weights, in every recipe of a format: size, speed, integers.

Random weights have the sizes and the speed of trained ones; what becomes of faces only trained ones can tell.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Final

import numpy as np

from voxtoon.errors import VoxtoonError
from voxtoon_export.lowering import CLIP_FRAMES, Content, format_named
from voxtoon_quantize.formats import FloatPart, Inputs, QuantizedFormat, quantized_format, size_bytes
from voxtoon_quantize.recipe import SCHEMES, Override, Recipe
from voxtoon_quantize.timing import wall_ratio

_VARIANT: Final = "speech2face"
_THREADS: Final = 2
_PARTS: Final = ("encoder", "decoder")
_FULLY_CONNECTED: Final = ("encoder.fc?", "decoder.texture_fc")
"""The layers that hold most of the weights."""


def full_size(name: str) -> Iterator[tuple[str, ...]]:
    """One row for each part and recipe of a format, the header first."""
    quantized = quantized_format(name)
    faster = ("faster",) if quantized.timed else ()
    yield ("part", "recipe", "bytes", "smaller", *faster, "integer MACs")
    for part_name in _PARTS:
        part = quantized.part(part_name, _lowered(name, part_name))
        yield (part_name, "fp32", f"{size_bytes(part.content):,}", "", *["" for _ in faster], "")
        yield from _rows(quantized, part, [_noise(part_name)])
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


def _rows(quantized: QuantizedFormat, part: FloatPart, inputs: list[Inputs]) -> Iterator[tuple[str, ...]]:
    calibrated = part.calibrate(Recipe(observer="minmax"), inputs, for_factors=True)
    reference = quantized.load(part.content, precision="fp32", threads=_THREADS) if quantized.timed else None
    for label, recipe in recipes(quantized).items():
        schemes = recipe.schemes(part.name, part.layers)
        label = label.replace(" ".join(_FULLY_CONNECTED), _FULLY_CONNECTED[_PARTS.index(part.name)])
        try:
            content = calibrated.quantize(schemes, recipe)
        except VoxtoonError as refused:
            reason = str(refused).rpartition("Error: ")[2]
            yield (part.name, label, f"refused: {reason}", "", *([""] if quantized.timed else []), "")
            continue
        cells = [f"{size_bytes(content):,}", f"{size_bytes(part.content) / size_bytes(content):.2f}x"]
        if reference is not None:
            candidate = quantized.load(content, precision="any", threads=_THREADS)
            cells.append(f"{wall_ratio(reference, candidate, inputs[0]):.2f}x")
            del candidate
        share = quantized.audit(content, inputs[0], recipe).mac_share
        yield (part.name, label, *cells, f"{100 * share:.1f} %")


def _lowered(name: str, part: str) -> Content:
    import torch

    from voxtoon_export.network import build
    from voxtoon_export.systems import variant

    torch.manual_seed(0)
    declared = variant(_VARIANT).parts[part]
    with torch.no_grad():
        return format_named(name).lower(build(declared).eval(), declared, ["fp32"])["fp32"]


def _noise(part: str) -> Inputs:
    from voxtoon_export.systems import variant

    declared = variant(_VARIANT).parts[part].input
    shape = [CLIP_FRAMES if isinstance(size, str) else size for size in declared.shape]
    return {declared.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
