"""``voxtoon verify``: every file and every artefact of a bundle, checked on this machine."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.errors import CheckError, InputError

if TYPE_CHECKING:
    from voxtoon.agreement import Tolerance
    from voxtoon.verification import Check


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "verify",
        help="check every artefact of a bundle against its golden values",
        description="Check size and hash of every file of a bundle, then run every artefact, and the whole "
        "way from voice to avatar, and compare with what torch made of the same voice at the export. The "
        "exit code is 1 when anything misses its tolerance or cannot be checked.",
    )
    parser.add_argument(
        "bundle", type=Path, nargs="?", metavar="BUNDLE", help="default: the one that comes with the package"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--runtimes",
        action="store_true",
        help="on every runtime that the bundle declares, oldest and newest, in environments of their own",
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path("build") / "environments",
        metavar="DIR",
        help="where those are made and kept (default: %(default)s)",
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write what --runtimes found as a page too"
    )


def run(arguments: argparse.Namespace) -> int:
    """Check and print; returns the exit code.

    Raises
    ------
    CheckError
        After printing, when a check failed.
    """
    if arguments.runtimes:
        return _run_on_runtimes(arguments)
    from voxtoon.bundle import open_bundle
    from voxtoon.cli.console import progress
    from voxtoon.verification import verify

    with open_bundle(arguments.bundle) as bundle, progress() as tell:
        tell("checking the files")
        checks = []
        for check in verify(bundle):
            checks.append(check)
            tell(f"checked {check.part} {check.format} {check.precision}")
        path, files = bundle.path, len(bundle.manifest.files)
    failed = [check for check in checks if check.problem is not None]
    if arguments.json:
        report = {"bundle": str(path), "good": not failed, "checks": [check.to_json() for check in checks]}
        print(json.dumps(report, indent=2))
    else:
        print(f"{path}: {files} files as the manifest says")
        print(_table(checks))
    if failed:
        others = f" (and {len(failed) - 1} more)" if failed[1:] else ""
        raise CheckError(f"{failed[0].failure}{others}")
    return 0


def _run_on_runtimes(arguments: argparse.Namespace) -> int:
    if find_spec("voxtoon_export") is None:
        raise InputError("--runtimes is not installed", hint="install it with: pip install 'voxtoon[export]'")
    from voxtoon.atomic_file import write_atomically
    from voxtoon.bundle import open_bundle
    from voxtoon.cli.console import progress
    from voxtoon_export.compatibility import declared_runtimes, verify_on
    from voxtoon_export.compatibility_page import matrix, page

    with open_bundle(arguments.bundle) as bundle:
        path, manifest = bundle.path, bundle.manifest
    with progress() as tell:
        runtimes = declared_runtimes(manifest)
        rows = list(verify_on(runtimes, path, environments=arguments.environments, progress=tell))
    print(matrix(rows))
    if arguments.markdown is not None:
        write_atomically({arguments.markdown: page(rows, manifest).encode()})
        print(f"wrote {arguments.markdown}")
    failures = [failure for row in rows for failure in row.failures]
    if failures:
        raise CheckError(failures[0] + (f" (and {len(failures) - 1} more)" if failures[1:] else ""))
    return 0


def _table(checks: list[Check]) -> str:
    from voxtoon.cli.console import table

    header = (
        "part",
        "format",
        "precision",
        "output",
        "max abs",
        "of scale",
        "PSNR dB",
        "cosine",
        "asked",
        "",
    )
    return table(header, [_row(check) for check in checks])


def _row(check: Check) -> tuple[str, ...]:
    figures: tuple[str, ...] = ("-", "-", "-", "-")
    if check.agreement is not None:
        found = check.agreement
        figures = (
            f"{found.max_abs:.1e}",
            f"{found.max_abs_relative:.1e}",
            f"{found.psnr_db:.1f}",
            f"{found.cosine:.7f}",
        )
    verdict = "good" if check.problem is None else "FAILED"
    names = (check.part, check.format, check.precision, check.output)
    return (*names, *figures, tolerance_text(check.tolerance), verdict)


def tolerance_text(tolerance: Tolerance | None) -> str:
    """Say in a cell what was asked for."""
    if tolerance is None:
        return "-"
    asked = []
    if tolerance.max_abs_relative is not None:
        asked.append(f"<= {tolerance.max_abs_relative:g}")
    if tolerance.psnr_db is not None:
        asked.append(f">= {tolerance.psnr_db:g} dB")
    return ", ".join(asked)
