"""What the compatibility gate found, as a table for the terminal and as a page for the documentation."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from voxtoon.cli.console import table
from voxtoon_export.compatibility import ON_APPLE_ONLY

if TYPE_CHECKING:
    from voxtoon.manifest import Manifest
    from voxtoon.verification import Check
    from voxtoon_export.compatibility import Row

_HEADER: Final = (
    "runtime",
    "version",
    "numpy",
    "format",
    "precision",
    "good",
    "worst part",
    "worst whole way",
)
_PAGE: Final = """\
# Which runtimes run a bundle

Made by `voxtoon verify --runtimes --markdown`, not by hand. Every library that an artefact of the bundle
names as its runtime was installed into a virtual environment of its own, the oldest version it asks for and
the newest there was, with the other dependencies of the runtime and nothing else. There the runtime ran every
artefact on the golden inputs, and the whole way from voice to avatar, and compared with what torch had made
of them. "worst part" is the largest error of any output of a part, in shares of its scale (fp32), or the
smallest PSNR (others); "worst whole way" is the smallest PSNR of the face's image.

Bundle: `{system}`, variant `{variant}`. Machine: {machine}, Python {python}.

{table}
{notes}"""


def matrix(rows: Sequence[Row]) -> str:
    """Set the matrix for a terminal."""
    return table(_HEADER, _lines(rows))


def page(rows: Sequence[Row], manifest: Manifest) -> str:
    """Set the page."""
    lines = [_HEADER, ("---",) * len(_HEADER), *_lines(rows)]
    return _PAGE.format(
        system=manifest.system,
        variant=manifest.variant,
        machine=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        notes="".join(f"\n{note}\n" for note in _notes(rows, manifest)),
    )


def _lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [line for row in rows for line in _lines_of(row)]


def _lines_of(row: Row) -> list[tuple[str, ...]]:
    package, installed = row.runtime.package, row.installed
    version = installed.get(package, row.runtime.version or "newest")
    names = (package, version, installed.get("numpy", "-"), row.runtime.format)
    if row.problem is not None:
        return [(*names, "-", "NOT CHECKED", "-", "-")]
    precisions = sorted({check.precision for check in row.checks}, key=lambda name: (name != "fp32", name))
    return [(*names, precision, *_figures(row.checks, precision)) for precision in precisions]


def _figures(checks: Sequence[Check], precision: str) -> tuple[str, str, str]:
    chosen = [check for check in checks if check.precision == precision]
    good = sum(check.failure is None for check in chosen)
    parts = [check.agreement for check in chosen if check.part != "pipeline" and check.agreement]
    images = [check.agreement for check in chosen if check.output == "image" and check.agreement]
    if not parts:
        worst = "-"
    elif precision == "fp32":
        worst = f"{max(agreement.max_abs_relative for agreement in parts):.1e}"
    else:
        worst = f"{min(agreement.psnr_db for agreement in parts):.1f} dB"
    whole = f"{min(agreement.psnr_db for agreement in images):.1f} dB" if images else "-"
    return f"{good} of {len(chosen)}", worst, whole


def _notes(rows: Sequence[Row], manifest: Manifest) -> list[str]:
    failures = [f"- {failure}" for row in rows for failure in row.failures]
    notes = ["Failures:\n\n" + "\n".join(failures)] if failures else []
    if any(package in ON_APPLE_ONLY for item in manifest.artefacts for package in item.minimum_runtime):
        notes.append(
            "Core ML runs on Apple's systems alone: its artefacts are checked by the reference evaluator, at "
            "the export and by `voxtoon verify` where `voxtoon[export]` is installed."
        )
    return notes
