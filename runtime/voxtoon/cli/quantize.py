"""``voxtoon quantize``: int8 artefacts for a bundle, calibrated and judged on real voices, or refused."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.atomic_file import write_atomically
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon_quantize.recipe import Recipe
    from voxtoon_quantize.report import PartReport, Report

_NEEDED = ("voxtoon_quantize", "voxtoon_export", "onnx")
_AUDIO = "a folder of recordings of voices, of some ten speakers or more"


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "quantize",
        help="add int8 artefacts to a bundle, or say why not",
        description="Add int8 artefacts to a bundle. They are calibrated on recordings, and judged on those "
        "of other speakers: what is not smaller, faster and the same face as float32 is refused, the exit "
        "code is 1, and the bundle stays as it was.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    add_recipe_options(parser)
    parser.add_argument("--to", nargs="+", default=["onnx"], metavar="FORMAT", help="default: onnx")
    parser.add_argument("--clips", type=int, default=64, metavar="N", help="to calibrate on (default: 64)")
    parser.add_argument("--judged", type=int, default=64, metavar="N", help="to judge on (default: 64)")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="default: in place of BUNDLE")
    parser.add_argument(
        "--max-bytes",
        type=int,
        metavar="N",
        help="give fully connected layers fewer bits, in factors, blocks or palettes, until all fits",
    )
    parser.add_argument(
        "--max-angle-deg", type=float, metavar="A", help="give layers more bits until features turn no more"
    )
    parser.add_argument(
        "--max-ms", type=float, metavar="T", help="leave no layer in float where a run takes longer here"
    )
    parser.add_argument(
        "--sensitivity",
        action="store_true",
        help="only tell what each layer costs the face; writes no bundle",
    )
    parser.add_argument("--draw", type=Path, metavar="FILE.svg", help="with --sensitivity, draw it too")
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keeps what layers cost, for the same artefacts and recordings (default: the user's cache)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is calibrated on and how: the options that `voxtoon export` has as well."""
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="folder of recordings; an index.csv in it (clip, speaker) tells who speaks. A fifth of the "
        "speakers is only judged on",
    )
    parser.add_argument(
        "--recipe",
        default="static_wi8_ai8",
        metavar="R",
        help="a scheme, or a JSON file (default: %(default)s); see docs/quantization.md",
    )
    parser.add_argument(
        "--layer",
        nargs="+",
        default=[],
        metavar="PART.LAYER=SCHEME",
        help="another scheme for some layers, * and ? allowed: encoder.fc1=dynamic_wi8",
    )
    parser.add_argument("--target", metavar="T", help="generic, x86, arm or ane (default: the recipe's)")
    parser.add_argument(
        "--allow", action="store_true", help="keep what misses the gate, under the name int8-unverified"
    )


def run(arguments: argparse.Namespace) -> int:
    """Quantize and print; returns the exit code.

    Raises
    ------
    RefusedError
        After printing the table, when a part missed the gate.
    """
    check_can_quantize(arguments)
    _check_drawing(arguments)
    if arguments.sensitivity:
        return _sensitivity(arguments)
    from voxtoon.cli.console import progress
    from voxtoon_quantize.quantizer import quantize
    from voxtoon_quantize.search import Goal

    with telling_of_refusal(as_json=arguments.json), progress() as tell:
        report = quantize(
            arguments.bundle,
            audio=arguments.calibrate,
            recipe=recipe_of(arguments),
            formats=arguments.to,
            output=arguments.output,
            clips=arguments.clips,
            judged_clips=arguments.judged,
            allow=arguments.allow,
            goal=Goal(arguments.max_bytes, arguments.max_angle_deg, arguments.max_ms),
            cache=_cache(arguments),
            progress=tell,
        )
    print(json.dumps(_json(report), indent=2) if arguments.json else text_of(report))
    return 0


def check_can_quantize(arguments: argparse.Namespace) -> None:
    """Refuse where quantizing is not installed, or nothing is given to calibrate on; raises InputError."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            "quantizing is not installed",
            got=f"no {', '.join(missing)}",
            hint="install it with: pip install 'voxtoon[export]'",
        )
    if arguments.calibrate is None:
        raise InputError("nothing to calibrate on", expected=f"--calibrate DIR, {_AUDIO}")


def _check_drawing(arguments: argparse.Namespace) -> None:
    """Refuse what could not be told at the end, before all voices are heard for it; raises InputError."""
    if arguments.sensitivity and len(arguments.to) > 1:
        raise InputError("--sensitivity", got=f"--to {' '.join(arguments.to)}", expected="one format")
    drawing: Path | None = arguments.draw
    if drawing is None:
        return
    if not arguments.sensitivity:
        raise InputError("--draw", got=drawing, expected="--sensitivity with it")
    if drawing.suffix.lower() != ".svg" or not drawing.parent.is_dir():
        raise InputError(
            "--draw", got=drawing, expected="a name that ends in .svg, in a folder that is there"
        )


@contextmanager
def telling_of_refusal(*, as_json: bool = False) -> Iterator[None]:
    """Print the tables of what is refused, and let the error pass."""
    from voxtoon_quantize.report import RefusedError

    try:
        yield
    except RefusedError as refused:
        if as_json:
            print(json.dumps({"good": False, "parts": [part.to_json() for part in refused.parts]}, indent=2))
        else:
            print(_tables(refused.parts))
        raise


def _sensitivity(arguments: argparse.Namespace) -> int:
    from voxtoon.cli.console import progress, table
    from voxtoon_quantize.layer_chart import chart
    from voxtoon_quantize.quantizer import sensitivity

    with progress() as tell:
        effects = sensitivity(
            arguments.bundle,
            audio=arguments.calibrate,
            recipe=recipe_of(arguments),
            format_name=arguments.to[0],
            clips=arguments.clips,
            judged_clips=arguments.judged,
            cache=_cache(arguments),
            progress=tell,
        )
    if arguments.draw is not None:
        write_atomically({arguments.draw: chart(effects).encode()})
    if arguments.json:
        print(json.dumps([effect.to_json() for effect in effects], indent=2))
        return 0
    rows = []
    for effect in effects:
        found = effect.quality
        drawn = ("-", "-") if found.psnr_db is None else (f"{found.psnr_db:.1f}", f"{found.ssim:.4f}")
        shift = "-" if found.landmark_shift_px is None else f"{found.landmark_shift_px:.3f}"
        angle = f"{found.angle_mean_deg:.3f}"
        names = (f"{effect.part}.{effect.layer}", effect.scheme, f"{effect.saved_bytes:,}")
        rows.append((*names, angle, *drawn, shift))
    header = ("layer, alone", "scheme", "saves bytes", "angle", "PSNR dB", "SSIM", "landmarks px")
    print(table(header, rows))
    return 0


def _cache(arguments: argparse.Namespace) -> Path:
    if arguments.cache is not None:
        return Path(arguments.cache)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "voxtoon" / "sensitivity"


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe that the options make; raises InputError."""
    from dataclasses import replace

    from voxtoon_quantize.recipe import Override, Recipe

    text = arguments.recipe
    if text.endswith(".json"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("the recipe cannot be read", got=f"{arguments.recipe} ({error})") from error
    recipe = Recipe.from_text(text)
    overrides = []
    for word in arguments.layer:
        where, equals, scheme = word.partition("=")
        if not (where and equals and scheme):
            raise InputError("--layer", got=repr(word), expected="PART.LAYER=SCHEME")
        overrides.append(Override(where, scheme))
    return replace(
        recipe,
        overrides=(*recipe.overrides, *overrides),
        target=arguments.target or recipe.target,
    )


def _tables(parts: tuple[PartReport, ...]) -> str:
    from voxtoon.cli.console import table

    tables = []
    for part in parts:
        rows = [verdict.cells for verdict in part.verdicts]
        sizes = f"{part.bytes_fp32:,} -> {part.bytes_quantized:,} bytes"
        tables.append(
            f"{part.name} {part.format}: {part.precision}, {sizes}\n{table(('', 'got', 'asked', ''), rows)}"
        )
    return "\n\n".join(tables)


def text_of(report: Report) -> str:
    """What was made, as tables, and where it is."""
    from voxtoon.cli.console import table

    lines = []
    for made in report.formats:
        lines += [_tables(made.parts), ""]
        for quality, how in ((made.quality, ""), (made.on_a_stream, ", on a stream")):
            if quality is not None:
                rows = [(name, f"{value:.4g}") for name, value in quality.to_json().items()]
                lines += [table((f"{made.format}{how}, on speakers kept apart", ""), rows), ""]
        lines += [f"chosen: {step}" for step in made.steps]
    lines += [f"skipped: {item.reason}" for item in report.skipped]
    skipped = f", {len(report.skipped)} skipped" if report.skipped else ""
    lines.append(f"calibrated on {report.calibrated} recordings, judged on {report.judged}{skipped}")
    return "\n".join([*lines, f"wrote {report.bundle}"])


def _json(report: Report) -> dict[str, Any]:
    return {
        "good": not any(part.missed for part in report.parts),
        "bundle": str(report.bundle),
        "formats": [made.to_json() for made in report.formats],
        "calibrated": report.calibrated,
        "judged": report.judged,
        "skipped": [item.reason for item in report.skipped],
    }
