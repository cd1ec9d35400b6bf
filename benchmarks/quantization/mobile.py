"""What quantization gives in the formats of phones: every recipe in LiteRT and Core ML, and stock recipes.

``python -m benchmarks.quantization.mobile --data DIR [--full-size] [--only NAME ...] [--write PAGE]``

LiteRT runs on one thread, and its speeds are ratios to its own float32 artefact, counted in turns. Core ML is
computed by the evaluator, which tells nothing of speed. onnx2tf is measured where its command is named
(`benchmarks.onnx2tf` installs it). Each table is written as it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Final

from benchmarks.page import markdown, tell_each
from voxtoon.bundle import Bundle
from voxtoon.errors import VoxtoonError
from voxtoon_export.lowering import Content
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import CalibratedPart, FloatPart, made_by, quantized_format
from voxtoon_quantize.judging import Judged, of_faces
from voxtoon_quantize.recipe import Override, Recipe

from .command_line import FULL_SIZE, asked, float_bundle, parser, recordings
from .full_size import full_size
from .outcomes import Outcome, Refusal, measured, outcome, outcomes, table
from .peers import against_peers, asked_of
from .stock_tools import BY_AI_EDGE_QUANTIZER, by_ai_edge_quantizer, by_onnx2tf


def _fc1(scheme: str) -> tuple[Override, ...]:
    return (Override("encoder.fc1", scheme),)


RECIPES: Final = {
    "litert": {
        "static_wi8_ai8": Recipe(),
        "static_wi8_ai8, minmax": Recipe(observer="minmax"),
        "static_wi8_ai8, encoder.fc1 weight_wi4_block32": Recipe(overrides=_fc1("weight_wi4_block32")),
        "static_wi8_ai8, encoder.fc1 weight_wi4_block128": Recipe(overrides=_fc1("weight_wi4_block128")),
        "dynamic_wi8": Recipe("dynamic_wi8"),
        "weight_wi8": Recipe("weight_wi8"),
        "fp16": Recipe("fp16"),
    },
    "coreml": {
        "static_wi8_ai8": Recipe(),
        "static_wi8_ai8 (ane)": Recipe(target="ane"),
        "static_wi8_ai8, encoder.fc1 weight_p4": Recipe(overrides=_fc1("weight_p4")),
        "weight_wi8, encoder.fc1 weight_wi4_block32 (iOS 18)": Recipe(
            "weight_wi8", _fc1("weight_wi4_block32")
        ),
        "weight_wi8, encoder.fc1 weight_wi4_block128 (iOS 18)": Recipe(
            "weight_wi8", _fc1("weight_wi4_block128")
        ),
        "weight_wi8": Recipe("weight_wi8"),
        "weight_p8": Recipe("weight_p8"),
        "weight_p6": Recipe("weight_p6"),
        "weight_p4": Recipe("weight_p4"),
        "fp16": Recipe("fp16"),
    },
}
TITLES: Final = {"litert": "LiteRT", "coreml": "Core ML"}
NAMES: Final = tuple(f"{name}{size}" for name in RECIPES for size in ("", FULL_SIZE))


def ours(
    bundle: Bundle, parts: Mapping[str, FloatPart], judged: Judged, heard: CalibrationAudio
) -> Iterator[Outcome | Refusal]:
    """Every recipe of a format."""
    name = judged.format.name

    @cache
    def calibrated(target: str) -> list[CalibratedPart]:
        return calibrate_parts(bundle, judged.format, parts, Recipe(target=target), heard)

    def made(recipe: Recipe) -> dict[str, Content]:
        # Core ML's program for Apple's Neural Engine is another; else one calibration does for all recipes.
        return made_by(recipe, calibrated(recipe.target if name == "coreml" else "generic"))

    return outcomes(RECIPES[name], made, parts, judged)


def peers(
    bundle: Bundle, parts: Mapping[str, FloatPart], judged: Judged, onnx2tf: str | None
) -> Iterator[Outcome | Refusal]:
    """Stock recipes in LiteRT, and onnx2tf where there is its command."""
    for recipe in BY_AI_EDGE_QUANTIZER:
        made = {name: by_ai_edge_quantizer(recipe, part, judged.inputs[name]) for name, part in parts.items()}
        yield outcome(f"ai-edge-quantizer's {recipe}", made, parts, judged)
    if onnx2tf is not None:
        models = {
            item.part: bundle.read(item.file)
            for item in bundle.manifest.artefacts
            if (item.format, item.precision) == ("onnx", "fp32") and item.part in parts
        }
        try:
            for label, content in by_onnx2tf(onnx2tf, models, judged).items():
                yield outcome(label, content, parts, judged)
        except (RuntimeError, VoxtoonError) as failed:
            yield Refusal("onnx2tf", str(failed))


def recipes(
    bundle: Bundle, name: str, recorded: Sequence[CalibrationAudio], onnx2tf: str | None
) -> Iterator[str]:
    """Every recipe of a format, and in LiteRT the peers and how they are answered."""
    heard, kept = recorded
    quantized = quantized_format(name)
    parts = of_faces(bundle, float_parts(bundle, quantized))
    judged = Judged.of(bundle, quantized, parts, kept)
    made = list(ours(bundle, parts, judged, heard))
    others = list(peers(bundle, parts, judged, onnx2tf)) if name == "litert" else []
    yield (
        f"{TITLES[name]}, `{bundle.manifest.variant}`: calibrated on {heard.used} recordings, judged on "
        f"{kept.used} of other speakers."
    )
    yield markdown(table([*made, *others]))
    if others:
        yield asked_of("The peers", faster=False)
        yield markdown(against_peers(measured(made), measured(others), faster=False))


def main() -> None:
    """Print the tables, and put them into a page where there is one."""
    options = parser(__doc__, NAMES, clips=24)
    options.add_argument("--onnx2tf", metavar="COMMAND", help="what `python -m benchmarks.onnx2tf` prints")
    arguments = options.parse_args()
    with ExitStack() as stack:

        @cache
        def bundle() -> Bundle:
            formats = ["litert", "coreml", *(["onnx"] if arguments.onnx2tf else [])]
            return stack.enter_context(float_bundle(arguments.bundle, formats))

        def told(name: str) -> Iterable[str]:
            if name.endswith(FULL_SIZE):
                return full_size(name.removesuffix(FULL_SIZE))
            return recipes(bundle(), name, recordings(arguments), arguments.onnx2tf)

        tell_each(asked(arguments, NAMES), told, arguments.write)


if __name__ == "__main__":
    main()
