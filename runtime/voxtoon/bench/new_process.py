"""What a new process of `cold_start` does: draw one avatar, and print when it had what.

Nothing but the standard library is imported before the first mark: the runtime is what is measured.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def draw(bundle_path: str, *, engine: str, precision: str, threads: int | None) -> Iterator[str]:
    """Draw one avatar, stopping after each step to say what was done."""
    yield "interpreter"
    from importlib import import_module

    from voxtoon.avatar import draw_avatar
    from voxtoon.bench.stages import runtime_parts
    from voxtoon.bundle import open_bundle
    from voxtoon.engines import choose
    from voxtoon.golden import Golden

    with open_bundle(bundle_path) as bundle:
        spec, _ = choose(
            bundle.manifest, runtime_parts(bundle.manifest)[0], engine=engine, precision=precision
        )
        spec.check()
        import_module(spec.module)
        yield "imports"
        pipeline = bundle.pipeline(engine=engine, precision=precision, threads=threads)
        parts = ["encoder", "decoder"]
        if bundle.manifest.voice_activity is not None:
            parts.append(bundle.manifest.voice_activity.part)
        for part in parts:
            bundle.session(part, engine=engine, precision=precision, threads=threads)
        yield "load"
        golden = Golden(bundle)
        encoder = bundle.session("encoder", engine=engine, precision=precision, threads=threads)
        encoder.run({"frames": golden.frames})
        yield "first_inference"
        face = pipeline.reconstruct(golden.audio, sample_rate=bundle.manifest.front_end.sample_rate_hz)
        if bundle.manifest.avatar_statistics is not None:
            draw_avatar(face).png()
        yield "first_avatar"


def main() -> int:
    """Draw one avatar and print how long each step took, and the memory of this process."""
    request: dict[str, Any] = json.loads(sys.argv[1])
    settings = request["settings"]
    cpus = settings.pop("cpus")
    if cpus is not None:
        os.sched_setaffinity(0, cpus)
    started = before = request["started_ns"]
    marks = {}
    for mark in draw(request["bundle"], **settings):
        now = time.monotonic_ns()
        marks[mark] = now - before
        before = now
    marks["first_avatar"] = before - started
    memory = {
        "peak_rss_bytes": _kilobytes("VmHWM", "/proc/self/status"),
        "pss_bytes": _kilobytes("Pss", "/proc/self/smaps_rollup"),
    }
    print(json.dumps({"marks_ns": marks, **memory}))
    return 0


def _kilobytes(name: str, path: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB", Path(path).read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


if __name__ == "__main__":
    sys.exit(main())
