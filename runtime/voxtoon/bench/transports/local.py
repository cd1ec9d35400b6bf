"""The machine we are on: the protocol in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import voxtoon
from voxtoon.bench.transports import Options, Transport
from voxtoon.bench.transports.process import Process, died


@contextmanager
def connect(
    target: str, bundle: Path, request: Mapping[str, Any], options: Options
) -> Iterator[Iterator[str]]:
    """Measure in a new process with this interpreter and this very runtime."""
    path = [str(Path(voxtoon.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    wanted = json.dumps({**request, "bundle": str(bundle)})
    with Process([sys.executable, "-m", "voxtoon.bench", wanted], environment=environment) as process:
        yield _lines(process)


def _lines(process: Process) -> Iterator[str]:
    yield from process.lines()
    code, said = process.ended()
    if code < 0:
        raise died(-code, where="local")
    if code and said:
        sys.stderr.write(said + "\n")


TRANSPORT = Transport("local", lambda target: target == "local", connect)
