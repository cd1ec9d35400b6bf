"""What quantization gives, and what it costs: every rewrite alone, every recipe, and the stock tools.

``python -m benchmarks.quantization --data DIR [--full-size] [--only NAME ...] [--write PAGE]``

All in onnxruntime on one thread. A speed is a ratio to the float32 artefact of the bundle: both take turns,
and the fastest run of each counts. Faces are those of speakers that nothing was calibrated or trained on.
Each table is written as it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Final

from benchmarks.page import markdown, tell_each
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.formats import Inputs
from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.judging import Judged, of_faces
from voxtoon_quantize.layer_effects import layer_effects, worst_first
from voxtoon_quantize.recipe import Override, Recipe
from voxtoon_quantize.rewrites import REWRITES

from .bench import QUALITY_HEADER, Artefacts, Bench, Table, quality_cells
from .command_line import FULL_SIZE, asked, float_bundle, parser, recordings
from .corrections import corrections
from .full_size import full_size
from .fully_connected import fully_connected
from .outcomes import measured, outcome, outcomes, table
from .peers import against_peers, asked_of
from .stock_tools import BY_ONNXRUNTIME

_BEST = Recipe(target="x86")


def _fc1(scheme: str) -> Recipe:
    return Recipe(target="x86", overrides=(Override("encoder.fc1", scheme),))


RECIPES: Final = {
    "static_wi8_ai8, mse (x86)": _BEST,
    "static_wi8_ai8, minmax (x86)": Recipe(target="x86", observer="minmax"),
    "static_wi8_ai8, percentile (x86)": Recipe(target="x86", observer="percentile"),
    "static_wi8_ai8, entropy (x86)": Recipe(target="x86", observer="entropy"),
    "static_wi8_ai8, mse (arm)": Recipe(target="arm"),
    **{
        f"static_wi8_ai8, encoder.fc1 {name}": _fc1(name)
        for name in (
            "weight_wi8_factors2",
            "weight_wi8_factors4",
            "weight_wi4_block32",
            "weight_wi4_block128",
        )
    },
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


def recipes(bench: Bench) -> Iterator[str]:
    """Every recipe and the stock tools, on both parts together, and how the stock tools are answered."""
    ours = list(outcomes(RECIPES, bench.made, bench.parts, bench.judged))
    peers = [
        outcome(label, _by(tool, bench), bench.parts, bench.judged) for label, tool in BY_ONNXRUNTIME.items()
    ]
    yield (
        f"`{bench.bundle.manifest.variant}`, speeds and sizes as ratios to fp32 on one thread, angles in "
        f"degrees; calibrated on {bench.audio.used} recordings, judged on {len(bench.judged.clips)} of "
        "other speakers."
    )
    yield markdown(table([*ours, *peers]))
    yield asked_of("onnxruntime's tools", faster=True)
    yield markdown(against_peers(measured(ours), peers, faster=True))


def _by(tool: Callable[[bytes, Sequence[Inputs]], bytes], bench: Bench) -> Artefacts:
    return {name: tool(part.content, bench.judged.inputs[name]) for name, part in bench.parts.items()}


def sensitivity(bench: Bench) -> Table:
    """What each layer costs, quantized alone, the worst first."""
    rows: Table = [("layer, alone", "saves bytes", *QUALITY_HEADER)]
    for effect in worst_first(list(layer_effects(bench.calibrated, _BEST, bench.judged))):
        name = f"{effect.part}.{effect.layer}"
        rows.append((name, f"{effect.saved_bytes:,}", *quality_cells(effect.quality)))
    return rows


TABLES: Final[Mapping[str, tuple[str, Callable[[Bench], Table]]]] = {
    "rewrites": ("What the rewrites gain, each alone, and the sum of it:", rewrites),
    "layers": ("What each layer costs, quantized alone:", sensitivity),
    "fc1": ("Ways of storing the first fully connected layer; factors have eight bits:", fully_connected),
    "corrections": ("What equalisation and bias correction would change:", corrections),
}
"""What is measured besides the recipes, by its name in the page: what it is, and its table."""
NAMES: Final = ("onnx", *TABLES, f"onnx{FULL_SIZE}")


def main() -> None:
    """Print the tables, and put them into a page where there is one."""
    arguments = parser(__doc__, NAMES, clips=48).parse_args()
    with ExitStack() as stack:

        @cache
        def bench() -> Bench:
            bundle = stack.enter_context(float_bundle(arguments.bundle, ["onnx"]))
            parts = of_faces(bundle, float_parts(bundle, FORMAT))
            heard, kept = recordings(arguments)
            onnx_parts = {name: part for name, part in parts.items() if isinstance(part, OnnxPart)}
            return Bench(bundle, onnx_parts, heard, Judged.of(bundle, FORMAT, parts, kept))

        def told(name: str) -> Iterable[str]:
            if name.endswith(FULL_SIZE):
                return full_size("onnx")
            if name not in TABLES:
                return recipes(bench())
            title, rows = TABLES[name]
            return title, markdown(rows(bench()))

        tell_each(asked(arguments, NAMES), told, arguments.write)


if __name__ == "__main__":
    main()
