"""Cold start: new processes that tell when they had what, counted from before they were made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from voxtoon.bench.record import ColdStart, Memory, Settings
from voxtoon.bench.samples import Latency
from voxtoon.errors import CheckError

_MARKS: Final = ("interpreter", "imports", "load", "first_inference", "first_avatar")
_ILLEGAL_INSTRUCTION: Final = 4


def measure(bundle: Path, settings: Settings, *, runs: int) -> tuple[ColdStart, Memory]:
    """Start one process that is not counted, and ``runs`` that are.

    Raises
    ------
    CheckError
        When a process fails, or dies of a signal: the message names it.
    """
    processes = [_run(bundle, settings) for _ in range(runs + 1)][1:]
    latencies = {mark: Latency.of([process["marks_ns"][mark] for process in processes]) for mark in _MARKS}
    return ColdStart(**latencies), Memory(
        peak_rss_bytes=_largest(process["peak_rss_bytes"] for process in processes),
        pss_bytes=_largest(process["pss_bytes"] for process in processes),
    )


def _run(bundle: Path, settings: Settings) -> dict[str, Any]:
    # Engines report their use to their makers unless told not to before they are imported.
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    request = {"bundle": str(bundle), "settings": asdict(settings), "started_ns": time.monotonic_ns()}
    done = subprocess.run(
        [sys.executable, "-m", "voxtoon.bench.new_process", json.dumps(request)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CheckError(f"a new process could not draw an avatar: {_reason(done)}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -_ILLEGAL_INSTRUCTION:
        return (
            "it died of an illegal instruction: a package was built for a newer processor; "
            "pip install another version of onnxruntime"
        )
    if done.returncode < 0:
        return f"it died of signal {-done.returncode}"
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
