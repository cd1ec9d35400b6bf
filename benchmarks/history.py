"""Figures of this version that do not depend on the machine's speed, to be compared with those of another.

``python -m benchmarks.history --json F [--against OLD] [--rounds N]``

Counts (bytes, multiplications, kernels that the engine runs, calls of Python functions) are exact. Ratios are
of CPU times in one process, by turns, and differ by some percent from run to run. With ``--against`` every
figure that grew by more than its margin is told, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxtoon import __version__
from voxtoon.bench.record import Settings
from voxtoon.bench.stages import WHOLE, Opened, Stage, example_inputs, runtime_parts, stages
from voxtoon.bundle import open_bundle
from voxtoon.golden import Golden

COUNT_MARGIN: Final = 1.02
RATIO_MARGIN: Final = 1.25


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


def figures(*, rounds: int) -> dict[str, dict[str, float]]:
    """Return the counts and the ratios of the embedded bundle on one thread."""
    with open_bundle() as bundle:
        opened = Opened(bundle, Settings(threads=1), Golden(bundle))
        ways = stages(opened)
        counts: dict[str, float] = {}
        for part in runtime_parts(bundle.manifest):
            spec, artefact = opened.choice(part)
            content = bundle.read(artefact.file)
            counts[f"{part}: bytes"] = len(content)
            macs = bundle.manifest.part(part).macs_per_clip
            if macs is not None:
                counts[f"{part}: multiplications"] = macs
            if spec.kernels is not None:
                inputs = example_inputs(bundle.manifest, part, opened.golden.frames)
                counts[f"{part}: kernels"] = sum(spec.kernels(content, inputs).values())
        for stage in ways.values():
            stage()  # what is made once is made
        counts |= {f"{name}: calls": python_calls(stage) for name, stage in ways.items()}
        return {"counts": counts, "ratios": _ratios(ways, rounds)}


def compare(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Return what grew by more than its margin, in words."""
    grown = []
    for kind, margin in (("counts", COUNT_MARGIN), ("ratios", RATIO_MARGIN)):
        for name, value in now[kind].items():
            old = before[kind].get(name)
            if old and value > margin * old:
                grown.append(f"{name}: {old:.6g} -> {value:.6g}, {value / old:.2f}x")
    return grown


def _ratios(ways: dict[str, Stage], rounds: int) -> dict[str, float]:
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
    now: dict[str, Any] = {"version": __version__, **figures(rounds=arguments.rounds)}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(now, indent=1) + "\n")
    for kind in ("counts", "ratios"):
        for name, value in now[kind].items():
            print(f"{name:<32}{value:>16,.10g}")
    grown = compare(now, json.loads(arguments.against.read_text())) if arguments.against else []
    for line in grown:
        print(f"grew: {line}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
