"""The Android bridge on a Java machine beside the Python runtime: one bundle, one thread, by turns.

``python -m benchmarks.bridge [--bundle B] [--turns N] [--runs N] [--cold-runs N] [--write]``

After ``make android``, which builds the bridge. In a turn both measure every stage ``runs`` times, first the
bridge in a process of its own (``voxtoon.benchmark``), then this process. "whole" is the whole way from
samples to the avatar as SVG: PNG, which Python's own figures include, is not drawn by the bridge. ``--write``
puts the tables into android_bridge/README.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.page import markdown, tell, verdict
from voxtoon import draw_avatar, open_bundle
from voxtoon.bench.protocol import rounds
from voxtoon.bench.record import Record, Settings, read_record
from voxtoon.bench.samples import Latency
from voxtoon.bench.stages import SAMPLE_RATE_HZ, WHOLE, Opened, Stage, stages
from voxtoon.bundle import DEFAULT_BUNDLE
from voxtoon.errors import CheckError, InputError
from voxtoon.golden import Golden

BRIDGE: Final = Path(__file__).resolve().parents[1] / "android_bridge"
README: Final = BRIDGE / "README.md"
START, END = "<!-- of benchmarks.bridge -->", "<!-- end of benchmarks.bridge -->"
MOST_US_PER_HOP: Final = 3.0
MOST_RATIO: Final = 1.1
MOST_LOAD_MS: Final = 400.0

_BUILT = BRIDGE / "benchmark" / "target"
_WARMUP_RUNS = 10
_HOP = "front_end_hop"
_SHARED = ("speech", "front_end", "encoder", "step", "decoder", "warp", WHOLE)
_TOLD = re.compile(r"^(.+) (?:allocates?|took) (\d+) (?:bytes|ms)$", re.MULTILINE)

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Turn:
    """What one turn gave.

    Parameters
    ----------
    bridge, python
        Seconds of each stage, [runs].
    load_to_avatar
        Of new processes of the bridge: seconds from the call that loads the model to the first avatar.
    told
        What the bridge says besides: bytes allocated, and milliseconds that unpacking its engine took.
    """

    bridge: Mapping[str, Seconds]
    python: Mapping[str, Seconds]
    load_to_avatar: Seconds
    told: Mapping[str, int]


@dataclass(frozen=True)
class Expectation:
    """What is asked of the bridge, and what was measured of it; the least is the best."""

    what: str
    most: float
    measured: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it held in this run."""
        return self.measured <= self.most


def take_turn(bundle: Path, opened: Opened, *, runs: int, cold_runs: int) -> Turn:
    """Measure the bridge and then the Python runtime.

    Raises
    ------
    InputError
        There is no Java, or the bridge was not built.
    CheckError
        The bridge could not measure, or its results are wrong.
    """
    record, told = run_bridge(bundle, runs=runs, cold_runs=cold_runs)
    python = rounds(python_stages(opened), warmup_runs=_WARMUP_RUNS, runs=runs, between=lambda: None)
    return Turn(
        bridge={name: latency.samples.seconds() for name, latency in record.latency.items()},
        python={name: np.array(times) / 1e9 for name, times in python.items()},
        load_to_avatar=load_to_avatar(record),
        told=told,
    )


def run_bridge(bundle: Path, *, runs: int, cold_runs: int) -> tuple[Record, dict[str, int]]:
    """Return the bridge's record of a bundle, and what it tells besides; errors as in `take_turn`."""
    java = shutil.which("java")
    if java is None or not _BUILT.is_dir():
        missing = "java" if java is None else _BUILT.relative_to(BRIDGE.parent)
        raise InputError(f"no {missing}", expected="JDK 17 and a built bridge", hint="run: make android")
    classes = os.pathsep.join(str(_BUILT / where / "*") for where in (".", "lib"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "record.json"
        command = [java, "-cp", classes, "voxtoon.benchmark.MainKt", str(bundle), str(out)]
        done = subprocess.run(
            [*command, "--runs", str(runs), "--cold-runs", str(cold_runs)],
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CheckError("the bridge could not measure", got=done.stderr.strip() or done.returncode)
        record = read_record(out)
    if not record.accurate:
        problems = [f"{check.part} {check.output}" for check in record.accuracy or () if check.problem]
        raise CheckError("the bridge computes otherwise", got=", ".join(problems), expected="golden values")
    return record, {what: int(number) for what, number in _TOLD.findall(done.stdout)}


def python_stages(opened: Opened) -> dict[str, Stage]:
    """The stages that both have; the whole way ends at the SVG."""
    found = stages(opened)

    def whole() -> str:
        face = opened.pipeline().reconstruct(opened.golden.audio, sample_rate=SAMPLE_RATE_HZ)
        return draw_avatar(face).svg

    return {name: whole if name == WHOLE else found[name] for name in _SHARED if name in found}


def load_to_avatar(record: Record) -> Seconds:
    """Seconds of each new process, without those of the Java machine itself."""
    start = record.cold_start
    if start is None:
        return np.empty(0)

    def seconds(latency: Latency) -> Seconds:
        return latency.samples.seconds()

    return seconds(start.first_avatar) - seconds(start.interpreter) - seconds(start.imports)


def ratio(turns: Sequence[Turn], stage: str) -> float:
    """The bridge's median over Python's: of the ratios of all turns, each of one time, the middle one."""
    return float(np.median([p50([turn], "bridge", stage) / p50([turn], "python", stage) for turn in turns]))


def p50(turns: Sequence[Turn], runtime: str, stage: str) -> float:
    """Seconds of a stage, over all turns."""
    return float(np.median(np.concatenate([getattr(turn, runtime)[stage] for turn in turns])))


def expectations(turns: Sequence[Turn]) -> tuple[Expectation, ...]:
    """What is asked of the bridge, as far as these turns can tell."""
    hop_us = 1e6 * p50(turns, "bridge", _HOP)
    allocated = max(told for turn in turns for what, told in turn.told.items() if "20 ms" in what)
    found = [
        Expectation("front end, 20 ms chunks", MOST_US_PER_HOP, hop_us, "us of CPU a hop"),
        Expectation("allocated for 20 ms, by a push and by the front end", 0, allocated, "bytes"),
        Expectation("the whole way against Python", MOST_RATIO, ratio(turns, WHOLE), "times its time"),
    ]
    cold = np.concatenate([turn.load_to_avatar for turn in turns])
    if len(cold):
        cold_ms = 1e3 * float(np.median(cold))
        found.append(Expectation("load to first avatar, new process", MOST_LOAD_MS, cold_ms, "ms"))
    return tuple(found)


def sections(turns: Sequence[Turn]) -> Iterator[str]:
    """The tables."""
    asked = [("", "asked, at most", "measured", "")]
    for one in expectations(turns):
        measured = f"{one.measured:.3g} {one.unit}"
        asked.append((one.what, f"{one.most:g}", measured, verdict(one.met)))
    yield markdown(asked)
    rows = [("p50, ms", "this runtime", "Python", "ratio", "by turns")]
    for stage in turns[0].python:
        ours, python = (1e3 * p50(turns, runtime, stage) for runtime in ("bridge", "python"))
        each = sorted(ratio([turn], stage) for turn in turns)
        by_turns = f"{each[0]:.2f} to {each[-1]:.2f}"
        rows.append((stage, f"{ours:.2f}", f"{python:.2f}", f"{ratio(turns, stage):.2f}x", by_turns))
    yield markdown(rows)
    unpacked = [ms for turn in turns for what, ms in turn.told.items() if what.startswith("unpacking")]
    if unpacked:
        yield f"Unpacking the engine's library, which a phone need not: {np.median(unpacked):.0f} ms more."


def main() -> None:
    """Print the tables, and put them into the README of the bridge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--cold-runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="into android_bridge/README.md")
    arguments = parser.parse_args()
    with open_bundle(arguments.bundle) as bundle:
        opened = Opened(bundle, Settings(engine="onnx", threads=1), Golden(bundle))
        turns = [
            take_turn(arguments.bundle, opened, runs=arguments.runs, cold_runs=arguments.cold_runs)
            for _ in range(arguments.turns)
        ]
    tell(sections(turns), README if arguments.write else None, start=START, end=END)


if __name__ == "__main__":
    main()
