"""Figures of this version that do not depend on the machine's speed, to be compared with those of another.

``python -m benchmarks.history --json F [--against OLD] [--rounds N]``

Sizes (bytes, multiplications) are the model's own. Counts (kernels that the engine runs, calls of Python
functions) are exact with the same packages, and compared with those only. Shares are of CPU times in one
process, by turns: they differ by some percent from run to run, and are compared on the same processor only.
With ``--against`` every figure that grew by more than its margin is told; for a size or a count the exit
code is 1. ``benchmarks/history.json`` is what CI compares with: a change that is meant replaces it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxtoon.atomic_file import write_atomically
from voxtoon.bench.device import describe_device, describe_software
from voxtoon.bench.record import Settings
from voxtoon.bench.stages import WHOLE, Opened, Stage, example_inputs, runtime_parts, stages
from voxtoon.bundle import open_bundle
from voxtoon.golden import Golden

MARGINS: Final = {"sizes": 1.02, "counts": 1.02, "shares": 1.25}
_NEEDS_THE_SAME: Final = {"sizes": (), "counts": ("software",), "shares": ("software", "processor")}
_FAILING: Final = ("sizes", "counts")


Figures = dict[str, Any]


@dataclass(frozen=True)
class Growth:
    """A figure that is larger than it was by more than its margin."""

    kind: str
    name: str
    before: float
    now: float

    def __str__(self) -> str:
        return f"{self.name}: {self.before:.6g} -> {self.now:.6g}, {self.now / self.before:.2f}x"


def python_calls(stage: Stage) -> int:
    """Count the Python functions that a stage calls."""
    count = 0

    def seen(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(seen)
    try:
        stage()
    finally:
        sys.setprofile(None)
    return count


def figures(*, rounds: int) -> dict[str, Any]:
    """Return sizes, counts and shares of the embedded bundle on one thread, and what they were taken with."""
    software = describe_software()
    with open_bundle() as bundle:
        opened = Opened(bundle, Settings(threads=1), Golden(bundle))
        ways = stages(opened)
        sizes: dict[str, float] = {}
        counts: dict[str, float] = {}
        for part in runtime_parts(bundle.manifest):
            spec, artefact = opened.choice(part)
            content = bundle.read(artefact.file)
            sizes[f"{part}: bytes"] = len(content)
            macs = bundle.manifest.part(part).macs_per_clip
            if macs is not None:
                sizes[f"{part}: multiplications"] = macs
            if spec.kernels is not None:
                inputs = example_inputs(bundle.manifest, artefact, opened.golden.frames)
                counts[f"{part}: kernels"] = sum(spec.kernels(content, inputs).values())
        for stage in ways.values():
            stage()  # what is made once is made
        counts |= {f"{name}: calls": python_calls(stage) for name, stage in ways.items()}
        return {
            "processor": describe_device().processor.model,
            "software": {"python": software.python, **software.packages},
            "sizes": sizes,
            "counts": counts,
            "shares": _shares(ways, rounds),
        }


def compare(now: Figures, before: Figures) -> list[Growth]:
    """Return what grew by more than its margin, of what can be compared."""
    return [
        Growth(kind, name, before[kind][name], value)
        for kind in comparable(now, before)
        for name, value in now[kind].items()
        if before[kind].get(name) and value > MARGINS[kind] * before[kind][name]
    ]


def comparable(now: Figures, before: Figures) -> list[str]:
    """Return the kinds of figures that were taken alike."""
    return [kind for kind, same in _NEEDS_THE_SAME.items() if all(now[name] == before[name] for name in same)]


def _shares(ways: dict[str, Stage], rounds: int) -> dict[str, float]:
    """Share of each stage in the whole way, of the least CPU times; the machine's speed cancels out."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, stage in ways.items():
            start = time.process_time()
            stage()
            least[name] = min(least[name], time.process_time() - start)
    return {
        f"{name} / whole": float(np.round(least[name] / least[WHOLE], 4)) for name in ways if name != WHOLE
    }


def main() -> int:
    """Print the figures, write them, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    before = json.loads(arguments.against.read_text()) if arguments.against else None
    now = figures(rounds=arguments.rounds)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    write_atomically({arguments.json: (json.dumps(now, indent=1) + "\n").encode()})
    for kind in MARGINS:
        for name, value in now[kind].items():
            print(f"{name:<32}{value:>16,.10g}")
    return 0 if before is None else _tell(now, before, arguments.against)


def _tell(now: Figures, before: Figures, against: Path) -> int:
    alike = comparable(now, before)
    print(f"compared with {against}: {', '.join(alike)}")
    for kind in MARGINS.keys() - alike:
        print(f"not compared: {kind}, which were taken with another {' or '.join(_NEEDS_THE_SAME[kind])}")
    grown = compare(now, before)
    for growth in grown:
        print(f"grew: {growth}")
    return 1 if any(growth.kind in _FAILING for growth in grown) else 0


if __name__ == "__main__":
    sys.exit(main())
