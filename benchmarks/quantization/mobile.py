"""What quantization gives in the formats of phones: every recipe in LiteRT and Core ML, and stock recipes.

``python -m benchmarks.quantization.mobile --data DIR [--bundle B] [--full-size] [--write PAGE]``

LiteRT runs on one thread, and its speeds are ratios to its own float32 artefact, counted in turns. Core ML is
computed by the evaluator, which tells nothing of speed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.page import markdown, tell
from voxtoon.bundle import Bundle, open_bundle
from voxtoon_export.converter_noise import silenced
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_export.lowering import Content
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import (
    CalibratedPart,
    FloatPart,
    Inputs,
    made_by,
    quantized_format,
    size_bytes,
)
from voxtoon_quantize.judging import Judged
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.timing import speed_ratio

from .__main__ import CHECKPOINT
from .bench import QUALITY_HEADER, Table, quality_cells
from .full_size import full_size

START, END = "<!-- measured on phones' formats -->", "<!-- end of measured on phones' formats -->"
_FC1: Final = (Override("encoder.fc1", "weight_wi4_block32"),)
RECIPES: Final = {
    "litert": {
        "static_wi8_ai8": Recipe(),
        "static_wi8_ai8, minmax": Recipe(observer="minmax"),
        "static_wi8_ai8, encoder.fc1 weight_wi4_block32": Recipe(overrides=_FC1),
        "dynamic_wi8": Recipe("dynamic_wi8"),
        "weight_wi8": Recipe("weight_wi8"),
        "fp16": Recipe("fp16"),
    },
    "coreml": {
        "static_wi8_ai8": Recipe(),
        "static_wi8_ai8 (ane)": Recipe(target="ane"),
        "static_wi8_ai8, encoder.fc1 weight_p4": Recipe(overrides=(Override("encoder.fc1", "weight_p4"),)),
        "weight_wi8, encoder.fc1 weight_wi4_block32 (iOS 18)": Recipe("weight_wi8", _FC1),
        "weight_wi8": Recipe("weight_wi8"),
        "weight_p8": Recipe("weight_p8"),
        "weight_p6": Recipe("weight_p6"),
        "weight_p4": Recipe("weight_p4"),
        "fp16": Recipe("fp16"),
    },
}
STOCK: Final = ("static_wi8_ai8", "dynamic_wi8_afp32", "weight_only_wi8_afp32")
"""Recipes of ai-edge-quantizer, applied as they come."""


def recipes(
    bundle: Bundle, name: str, heard: CalibrationAudio, kept: CalibrationAudio
) -> Iterator[tuple[str, ...]]:
    """One row for each recipe of a format, the header first."""
    quantized = quantized_format(name)
    parts = float_parts(bundle, quantized)
    judged = Judged.of(bundle, quantized, parts, kept)
    header = ["recipe"]
    for part in parts:
        header += [f"{part} smaller", *(["faster"] if quantized.timed else []), "integer MACs"]
    yield (*header, *QUALITY_HEADER)
    seen: dict[Recipe, list[CalibratedPart]] = {}
    for label, recipe in RECIPES[name].items():
        # Core ML's program for Apple's Neural Engine is another; else one calibration does for all recipes.
        start = Recipe(target=recipe.target if name == "coreml" else "generic")
        if start not in seen:
            seen[start] = calibrate_parts(bundle, quantized, parts, start, heard)
        yield _row(label, recipe, made_by(recipe, seen[start]), judged, parts)
    for label in STOCK if name == "litert" else ():
        made = {part: _stock(label, parts[part], judged.inputs[part]) for part in parts}
        yield _row(f"ai-edge-quantizer's {label}", Recipe(), made, judged, parts)


def _row(
    label: str,
    recipe: Recipe,
    made: Mapping[str, Content],
    judged: Judged,
    parts: Mapping[str, FloatPart],
) -> tuple[str, ...]:
    quantized, cells = judged.format, [label]
    for name, content in made.items():
        run = judged.inputs[name][0]
        cells.append(f"{size_bytes(parts[name].content) / size_bytes(content):.2f}x")
        if quantized.timed:
            reference = quantized.load(parts[name].content, precision="fp32")
            candidate = quantized.load(content, precision="int8")
            cells.append(f"{speed_ratio(reference, candidate, run):.2f}x")
        cells.append(f"{100 * quantized.audit(content, run, recipe).mac_share:.0f} %")
    return (*cells, *quality_cells(judged.quality(made)))


def _stock(name: str, part: FloatPart, inputs: Sequence[Inputs]) -> bytes:
    """What a recipe of ai-edge-quantizer makes of a part, with floats at its edges."""
    assert isinstance(part.content, bytes)
    with silenced():
        from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-untyped]

        whole = getattr(recipe, name)()
        edges = [
            {"regex": ".*", "operation": edge, "algorithm_key": "no_quantize"} for edge in ("INPUT", "OUTPUT")
        ]
        work = quantizer.Quantizer(part.content, [*whole, *(edge | {"op_config": {}} for edge in edges)])
        seen = work.calibrate({part.name: list(inputs)}, num_threads=1) if work.need_calibration else None
        return bytes(work.quantize(seen, enable_progress_report=False).quantized_model)


def sections(bundle: Bundle, arguments: argparse.Namespace) -> Iterator[str]:
    """The tables with what they are of, in Markdown."""
    heard, kept = (
        CalibrationAudio(
            arguments.data, clips=arguments.clips, use_speaker=lambda name: not is_held_out(name)
        ),
        CalibrationAudio(
            arguments.data, clips=arguments.judged, telephone_share=0.0, use_speaker=is_held_out
        ),
    )
    for name, titled in (("litert", "LiteRT"), ("coreml", "Core ML")):
        rows: Table = list(recipes(bundle, name, heard, kept))
        yield (
            f"{titled}, `{bundle.manifest.variant}`: calibrated on {arguments.clips} recordings, judged on "
            f"{arguments.judged} of other speakers."
        )
        yield markdown(rows)
        if arguments.full_size:
            timed = ", two threads" if name == "litert" else ""
            yield f"{titled}, the paper's widths, random weights, 6 s of voice{timed}:"
            yield markdown(list(full_size(name)))


def main() -> None:
    """Print the tables, and put them into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--bundle", type=Path, help="with float32 in both formats (default: of the checkpoint)"
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--judged", type=int, default=24)
    parser.add_argument("--full-size", action="store_true", help="the paper's widths too: 10 GB of memory")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_bundle(_bundle(arguments, Path(folder))) as bundle:
        tell(sections(bundle, arguments), arguments.write, start=START, end=END)


def _bundle(arguments: argparse.Namespace, folder: Path) -> Path:
    if arguments.bundle is not None:
        return Path(arguments.bundle)
    from voxtoon_export.checkpoint import load_checkpoint
    from voxtoon_export.exporter import export

    output = folder / "float.voxtoon"
    return export(load_checkpoint(CHECKPOINT), output=output, formats=("litert", "coreml")).bundle


if __name__ == "__main__":
    main()
