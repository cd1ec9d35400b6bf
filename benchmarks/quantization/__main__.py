"""What quantization gives, and what it costs: every rewrite alone, every recipe, and the stock tools.

``python -m benchmarks.quantization --bundle B --data DIR [--full-size] [--write docs/quantization.md]``

All in onnxruntime on one thread. A speed is a ratio to the float32 artefact of the bundle: both take turns,
and the fastest run of each counts. Faces are those of speakers that nothing was calibrated or trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import markdown, tell
from voxtoon.bundle import open_bundle
from voxtoon_export.converter_noise import silenced
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import Inputs
from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.judging import Judged, of_faces
from voxtoon_quantize.layer_effects import layer_effects, worst_first
from voxtoon_quantize.onnx_audit import audit
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.rewrites import REWRITES

from .bench import QUALITY_HEADER, Artefacts, Bench, Table, quality_cells
from .corrections import corrections
from .full_size import full_size
from .fully_connected import fully_connected

CHECKPOINT = Path(__file__).resolve().parents[2] / "recipes/checkpoints/speech2face-mel-w4.safetensors"
START, END = "<!-- measured -->", "<!-- end of measured -->"
_BEST = Recipe(target="x86")
RECIPES = {
    "static_wi8_ai8, mse (x86)": _BEST,
    "static_wi8_ai8, minmax (x86)": Recipe(target="x86", observer="minmax"),
    "static_wi8_ai8, percentile (x86)": Recipe(target="x86", observer="percentile"),
    "static_wi8_ai8, entropy (x86)": Recipe(target="x86", observer="entropy"),
    "static_wi8_ai8, mse (arm)": Recipe(target="arm"),
    "static_wi8_ai8, encoder.fc1 weight_wi8_factors2": Recipe(
        target="x86", overrides=(Override("encoder.fc1", "weight_wi8_factors2"),)
    ),
    "static_wi8_ai8, encoder.fc1 weight_wi8_factors4": Recipe(
        target="x86", overrides=(Override("encoder.fc1", "weight_wi8_factors4"),)
    ),
    "static_wi8_ai8, encoder.fc1 weight_wi4_block32": Recipe(
        target="x86", overrides=(Override("encoder.fc1", "weight_wi4_block32"),)
    ),
    "dynamic_wi8": Recipe(scheme="dynamic_wi8"),
    "weight_wi8": Recipe(scheme="weight_wi8"),
    "fp16": Recipe(scheme="fp16"),
}


def rewrites(bench: Bench) -> Table:
    """What each rewrite gains alone, in float and in integers."""
    rows = [("rewrites", *(f"{name} {kind}" for kind in ("fp32", "int8") for name in bench.parts))]
    sets: dict[str, tuple[str, ...]] = {"none": (), **{name: (name,) for name in REWRITES}}
    for label, names in {**sets, "all": tuple(REWRITES)}.items():
        speeds = []
        for recipe in (Recipe(scheme="fp32"), Recipe(target="x86")):
            made = bench.made(recipe, bench.rewritten(names))
            speeds += [f"{bench.speed(name, content):.2f}x" for name, content in made.items()]
        rows.append((label, *speeds))
    return rows


def recipes(bench: Bench) -> Table:
    """Every recipe and the stock tools, on both parts together."""
    header = ["recipe"]
    for name in bench.parts:
        header += [f"{name} smaller", "faster", "integer MACs"]
    rows = [(*header, *QUALITY_HEADER)]
    for label, made in _candidates(bench):
        cells = [label]
        for name, content in made.items():
            size = len(bench.parts[name].content) / len(content)
            share = audit(content, bench.inputs(name), signed="arm" in label).mac_share
            cells += [f"{size:.2f}x", f"{bench.speed(name, content):.2f}x", f"{100 * share:.0f} %"]
        cells += quality_cells(bench.judged.quality(made))
        rows.append(tuple(cells))
    return rows


def _candidates(bench: Bench) -> Iterator[tuple[str, Artefacts]]:
    for label, recipe in RECIPES.items():
        yield label, bench.made(recipe)
    for label, peer in (("quantize_static, as it comes", _static), ("quantize_dynamic", _dynamic)):
        yield label, {name: _by_file(peer, part, bench) for name, part in bench.parts.items()}


def _by_file(peer: Callable[[Path, Path, Sequence[Inputs]], None], part: OnnxPart, bench: Bench) -> bytes:
    """Run a tool that reads and writes files."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        source.write_bytes(part.content)
        with silenced():
            peer(source, made, bench.judged.inputs[part.name])
        return made.read_bytes()


def _static(source: Path, made: Path, inputs: Sequence[Inputs]) -> None:
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives inputs one by one, and None at the end."""

        def __init__(self) -> None:
            self._rest = iter(inputs)

        def get_next(self) -> Any:
            """The next, if there is one."""
            return next(self._rest, None)

    quantize_static(source, made, Reader())


def _dynamic(source: Path, made: Path, inputs: Sequence[Inputs]) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, made)


def sensitivity(bench: Bench) -> Table:
    """What each layer costs, quantized alone, the worst first."""
    rows: Table = [("layer, alone", "saves bytes", *QUALITY_HEADER)]
    for effect in worst_first(list(layer_effects(bench.calibrated, _BEST, bench.judged))):
        name = f"{effect.part}.{effect.layer}"
        rows.append((name, f"{effect.saved_bytes:,}", *quality_cells(effect.quality)))
    return rows


def sections(bench: Bench, arguments: argparse.Namespace) -> Iterator[str]:
    """The tables with what they are of, in Markdown."""
    yield (
        f"`{bench.bundle.manifest.variant}`, speeds and sizes as ratios to fp32 on one thread, angles in "
        f"degrees; calibrated on {bench.audio.clips} recordings, judged on {len(bench.judged.clips)} of "
        "other speakers."
    )
    yield markdown(recipes(bench))
    yield "What the rewrites gain, each alone, and the sum of it:"
    yield markdown(rewrites(bench))
    yield "What each layer costs, quantized alone:"
    yield markdown(sensitivity(bench))
    yield "Ways of storing the first fully connected layer; factors have eight bits:"
    yield markdown(fully_connected(bench))
    yield "What equalisation and bias correction would change:"
    yield markdown(corrections(bench))
    if arguments.full_size:
        yield "The paper's widths, random weights, 6 s of voice, two threads:"
        yield markdown(list(full_size("onnx")))


def main() -> None:
    """Print the tables, and put them into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, help="with float32 in ONNX (default: of the checkpoint)")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--judged", type=int, default=48)
    parser.add_argument("--full-size", action="store_true", help="the paper's widths too: 5 GB of memory")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_bundle(_bundle(arguments, Path(folder))) as bundle:
        parts = of_faces(bundle, float_parts(bundle, FORMAT))
        audio = CalibrationAudio(
            arguments.data, clips=arguments.clips, use_speaker=lambda speaker: not is_held_out(speaker)
        )
        kept = CalibrationAudio(
            arguments.data, clips=arguments.judged, telephone_share=0.0, use_speaker=is_held_out
        )
        onnx_parts = {name: part for name, part in parts.items() if isinstance(part, OnnxPart)}
        bench = Bench(bundle, onnx_parts, audio, Judged.of(bundle, FORMAT, parts, kept))
        tell(sections(bench, arguments), arguments.write, start=START, end=END)


def _bundle(arguments: argparse.Namespace, folder: Path) -> Path:
    if arguments.bundle is not None:
        return Path(arguments.bundle)
    from voxtoon_export.checkpoint import load_checkpoint
    from voxtoon_export.exporter import export

    return export(load_checkpoint(CHECKPOINT), output=folder / "float.voxtoon").bundle


if __name__ == "__main__":
    main()
