"""``python -m voxtoon.bench REQUEST``: measure here; one JSON object a line, as `host` reads it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from voxtoon.bench.record import Protocol, Settings
from voxtoon.errors import VoxtoonError
from voxtoon.manifest_decode import decode


def main() -> int:
    """Measure what the request wants, and tell every piece as soon as it is known."""
    try:
        for piece in _pieces(json.loads(sys.argv[1])):
            _tell({"piece": piece})
    except VoxtoonError as error:
        _tell({"error": str(error), "exit_code": error.exit_code})
        return error.exit_code
    _tell({"done": True})
    return 0


def _pieces(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    bundle, protocol = Path(request["bundle"]), Protocol(**request["protocol"])
    if request.get("tune"):
        from voxtoon.bench import tune

        return tune.measure(bundle, warmup_runs=protocol.warmup_runs, runs=protocol.runs)
    from voxtoon.bench.protocol import measure

    return measure(bundle, decode(Settings, request["settings"], "settings"), protocol)


def _tell(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
