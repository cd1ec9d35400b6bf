"""``voxtoon evaluate``: the paper's tables for a bundle, on speakers that training never saw."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from voxtoon.errors import InputError


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="the paper's tables for a bundle",
        description="The paper's tables for a bundle, on the speakers of DIR that are kept out of training.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with index.csv, audio/, face_s2f/ and face_f2f/",
    )
    parser.add_argument("--max-clips", type=int, metavar="N", help="only the first N clips")
    parser.add_argument("--engine", default="auto", help="as for `voxtoon face` (default: auto)")
    parser.add_argument("--precision", default="auto", help="auto, fp32, fp16, ... (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables; returns the exit code."""
    try:
        import PIL  # noqa: F401

        from voxtoon_export.evaluation.report import evaluate
    except ImportError as error:
        raise InputError(
            "evaluation is not installed", got=error, hint="install it with: pip install 'voxtoon[evaluate]'"
        ) from error
    from voxtoon.bundle import open_bundle

    with open_bundle(arguments.bundle) as bundle:
        report = evaluate(
            bundle,
            arguments.data,
            max_clips=arguments.max_clips,
            engine=arguments.engine,
            precision=arguments.precision,
            threads=arguments.threads,
            progress=_show_progress if sys.stderr.isatty() else None,
        )
    print(json.dumps(report.to_json(), indent=2) if arguments.json else report.to_text())
    return 0


def _show_progress(done: int, total: int) -> None:
    print(f"\r{done}/{total} clips", end="\n" if done == total else "", file=sys.stderr, flush=True)
