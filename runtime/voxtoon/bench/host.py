"""Measuring a bundle somewhere: starts the protocol there and makes a record of what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from voxtoon.bench.device import device_key
from voxtoon.bench.record import (
    FORMAT,
    FORMAT_VERSION,
    Device,
    Protocol,
    Record,
    Settings,
    record_from_json,
)
from voxtoon.bench.transports import Options, transport_for
from voxtoon.bench.tune import Candidate
from voxtoon.errors import CheckError, InputError, VoxtoonError
from voxtoon.manifest_decode import decode
from voxtoon.manifest_json import encode

_STEPS: Final = {
    "device": "starting new processes",
    "cold_start": "loading the model",
    "model": "checking it against its golden values",
    "accuracy": "measuring",
    "latency": "hearing a call",
    "first_avatar": "measuring without a pause",
}
"""What begins when a field has come, for people who wait."""


@dataclass(frozen=True)
class Run:
    """What became of a run: a record, perhaps of a part only, and what ended it early, if anything did."""

    record: Record
    error: VoxtoonError | KeyboardInterrupt | None


def run(
    bundle: Path,
    *,
    on: str = "local",
    settings: Settings | None = None,
    protocol: Protocol | None = None,
    options: Options | None = None,
    progress: Callable[[str], None] = lambda words: None,
) -> Run:
    """Measure a bundle.

    Parameters
    ----------
    bundle
        A folder or a ``.voxtoon`` file with golden values.
    on
        ``local``, ``ssh://[user@]host[:port]`` or ``adb:SERIAL``.
    settings, protocol, options
        How to run the bundle, what to measure, how to reach the device; None for the defaults.
    progress
        Told what is being done.

    Returns
    -------
    Run
        Also after Ctrl-C or when a connection is lost: then with the part that was measured before.

    Raises
    ------
    InputError
        When ``on`` is none of these.
    """
    settings, protocol = settings or Settings(), protocol or Protocol()
    transport = transport_for(on)
    request = {"settings": asdict(settings), "protocol": asdict(protocol)}
    found: dict[str, Any] = {
        "on": on,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "settings": encode(settings),
        "protocol": encode(protocol),
    }
    error: VoxtoonError | KeyboardInterrupt | None = None
    try:
        progress(f"starting on {on}")
        with transport.connect(on, bundle, request, options or Options()) as lines:
            for piece in _pieces(lines, on):
                found.update(piece)
                for step in _STEPS.keys() & piece.keys():
                    progress(_STEPS[step])
    except (VoxtoonError, KeyboardInterrupt) as ended:
        error = _explained(ended, found)
    envelope = {"format": FORMAT, "format_version": FORMAT_VERSION}
    record = record_from_json({**envelope, **found, "problem": _words(error)}, f"what {on} told")
    return Run(record, error)


def candidates(
    bundle: Path,
    *,
    on: str,
    protocol: Protocol,
    options: Options,
    progress: Callable[[str], None] = lambda words: None,
) -> tuple[str, list[Candidate]]:
    """Time every way to run each part of a bundle on a device.

    Returns
    -------
    key, candidates
        What tells the device apart, and the ways with their times.

    Raises
    ------
    InputError, CheckError
        When the device cannot be reached, or cannot run voxtoon.
    """
    request = {"settings": asdict(Settings()), "protocol": asdict(protocol), "tune": True}
    found: list[Candidate] = []
    key = ""
    progress(f"starting on {on}")
    with transport_for(on).connect(on, bundle, request, options) as lines:
        for piece in _pieces(lines, on):
            if "device" in piece:
                key = device_key(decode(Device, piece["device"], "device"))
            for value in piece.get("candidates", ()):
                found.append(decode(Candidate, value, "candidate"))
                progress(f"tried {found[-1].part}")
    return key, found


def _pieces(lines: Iterator[str], on: str) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        said = _object(line)
        if said.get("done"):
            return
        if "error" in said:
            kind = CheckError if said.get("exit_code") == CheckError.exit_code else InputError
            raise kind(str(said["error"]))
        if isinstance(said.get("piece"), Mapping):
            yield said["piece"]
    raise CheckError(f"measuring on {on} ended early", hint="-v shows what it said")


def _object(line: str) -> Mapping[str, Any]:
    """Return a line of ours; a greeting that a device prints at every login is none."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _explained(
    error: VoxtoonError | KeyboardInterrupt, found: Mapping[str, Any]
) -> VoxtoonError | KeyboardInterrupt:
    """Add what the device last said about itself where a connection was lost: it may have been the reason."""
    seen = found.get("conditions") or ()
    last = seen[-1] if seen else {}
    if "lost" not in str(error) and "cannot be reached" not in str(error):
        return error
    if not last.get("throttled"):
        return error
    heat = f" at {last['temperature_c']:.0f} °C" if last.get("temperature_c") is not None else ""
    return InputError(
        f"{error}; {last['at_s']:.0f} s into the run it said: {', '.join(last['throttled'])}{heat}; "
        "it may have switched itself off: give it a better supply or cooling"
    )


def _words(error: VoxtoonError | KeyboardInterrupt | None) -> str | None:
    if error is None:
        return None
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
