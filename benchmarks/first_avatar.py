"""Cold start: a new process from ``import voxtoon`` to the first avatar of a six-second clip.

``python -m benchmarks.first_avatar [--bundle B] [--wav W] [--runs N] [--json F]``

Each run is a process of its own; wall time, CPU time and peak memory are the operating system's own
accounting of it. An interpreter that only imports numpy and onnxruntime is measured in the same rounds:
it is the floor under any runtime of this kind, and the ratio to it is what voxtoon itself costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "voice.flac"

FIRST_AVATAR = """
import sys, voxtoon
from voxtoon.audio import read_audio
audio = read_audio(sys.argv[1])
with voxtoon.open_bundle(sys.argv[3] if len(sys.argv) > 3 else None) as bundle:
    face = bundle.pipeline().reconstruct(audio.samples, sample_rate=audio.sample_rate_hz)
voxtoon.draw_avatar(face).save(sys.argv[2])
"""
FLOOR = "import numpy, onnxruntime"


@dataclass(frozen=True)
class Run:
    """One finished process: wall seconds, CPU seconds (user + system) and peak resident megabytes."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run_once(program: str, *arguments: str) -> Run:
    """Run ``program`` in a new interpreter and return what the operating system says it used.

    Raises
    ------
    RuntimeError
        The process ended with an error.
    """
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program, *arguments], environment)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - start
    if status:
        raise RuntimeError(f"the measured process ended with status {status}")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(wav: Path, bundle: Path | None, *, runs: int) -> dict[str, list[Run]]:
    """Measure the first avatar and the import floor in turn, after one uncounted round of each."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(wav), str(Path(folder) / "avatar.svg"), *([str(bundle)] if bundle else [])]
        results: dict[str, list[Run]] = {"first avatar": [], "import floor": []}
        for counted in range(-1, runs):
            for name, program in (("first avatar", FIRST_AVATAR), ("import floor", FLOOR)):
                run = run_once(program, *arguments)
                if counted >= 0:
                    results[name].append(run)
    return results


def main() -> None:
    """Print the medians and write every run to ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--wav", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = measure(arguments.wav, arguments.bundle, runs=arguments.runs)
    print(f"{'new process':<14}{'wall s':>9}{'cpu s':>9}{'peak MB':>9}   median of {arguments.runs}")
    for name, runs in results.items():
        figures = [
            statistics.median(getattr(run, field) for run in runs) for field in ("wall_s", "cpu_s", "peak_mb")
        ]
        print(f"{name:<14}{figures[0]:>9.2f}{figures[1]:>9.2f}{figures[2]:>9.0f}")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({k: [asdict(r) for r in v] for k, v in results.items()}, indent=1)
        )


if __name__ == "__main__":
    main()
