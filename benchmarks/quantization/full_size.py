"""The paper's widths, with random weights: how small and how fast, at two threads."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from voxtoon.engines.onnx import load
from voxtoon.golden import frames_of
from voxtoon_quantize.formats import Inputs
from voxtoon_quantize.formats.onnx import OnnxPart
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.timing import wall_ratio

from .bench import Bench, Table

_VARIANT: Final = "speech2face"
_THREADS: Final = 2
_CLIPS: Final = 3
_STATIC: Final = Recipe(target="x86", observer="minmax")
_RECIPES: Final = {
    "encoder": {
        "static_wi8_ai8": _STATIC,
        **{
            f"the same, fc1 as weight_wi8_factors{share}": Recipe(
                target="x86",
                observer="minmax",
                overrides=(Override("encoder.fc1", f"weight_wi8_factors{share}"),),
            )
            for share in (2, 4)
        },
        "the same, fc? as weight_wi4_block32": Recipe(
            target="x86", observer="minmax", overrides=(Override("encoder.fc?", "weight_wi4_block32"),)
        ),
        "the same, fc? as weight_wi4_block128": Recipe(
            target="x86", observer="minmax", overrides=(Override("encoder.fc?", "weight_wi4_block128"),)
        ),
    },
    "decoder": {"static_wi8_ai8": _STATIC},
}


def full_size(bench: Bench) -> Table:
    """One row for each part and recipe."""
    rows: Table = [("part", "recipe", "bytes", "smaller", "faster", "integer MACs")]
    for name, recipes in _RECIPES.items():
        part, inputs = OnnxPart(name, _content(name)), list(_inputs(name, bench))
        rows.append((name, "fp32", f"{len(part.content):,}", "", "", ""))
        reference = load(part.content, precision="fp32", threads=_THREADS)
        for label, recipe in recipes.items():
            calibrated = part.calibrate(recipe, inputs)
            content = calibrated.quantize(recipe.schemes(name, part.layers), recipe)
            faster = wall_ratio(reference, load(content, precision="int8", threads=_THREADS), inputs[0])
            share = audit(content, inputs[0]).mac_share
            smaller = len(part.content) / len(content)
            rows.append(
                (
                    name,
                    label,
                    f"{len(content):,}",
                    f"{smaller:.2f}x",
                    f"{faster:.2f}x",
                    f"{100 * share:.1f} %",
                )
            )
        del part, reference
        gc.collect()
    return rows


def _content(name: str) -> bytes:
    import torch

    from voxtoon_export.lowering.onnx import lower
    from voxtoon_export.network import build
    from voxtoon_export.systems import variant

    torch.manual_seed(0)
    declared = variant(_VARIANT).parts[name]
    with torch.no_grad():
        return lower(build(declared).eval(), declared, ["fp32"])["fp32"]


def _inputs(name: str, bench: Bench) -> Iterator[Inputs]:
    from voxtoon_export.systems import variant

    declared = variant(_VARIANT)
    rng = np.random.default_rng(0)
    for clip in islice(bench.audio, _CLIPS):
        if name == "encoder":
            yield {"frames": frames_of(clip.samples, declared.front_end)}
        else:
            size = declared.parts[name].input.shape[-1]
            assert isinstance(size, int)
            yield {"feature": rng.normal(size=(1, size)).astype(np.float32)}
