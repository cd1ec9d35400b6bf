"""Which artefact, engine and number of threads is best for each part on a device: measured, never assumed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from voxtoon.bench.record import Settings
from voxtoon.bench.samples import Summary
from voxtoon.errors import CheckError, InputError, VoxtoonError
from voxtoon.manifest_json import encode
from voxtoon.tuning import Choice, Tuning, manifest_hash, read_tuning, tuning_path

if TYPE_CHECKING:
    from voxtoon.bench.stages import Opened, Stage
    from voxtoon.manifest import Artefact, Manifest

_MOST_THREADS: Final = 4
_NEARLY: Final = 1.03
"""Times within 3 % are taken as equal: then fewer bytes win, and then fewer threads."""


@dataclass(frozen=True)
class Candidate:
    """One way to run a part; ``problem`` says why it is out of the question."""

    part: str
    engine: str
    precision: str
    threads: int
    bytes: int
    p50_s: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Limits:
    """What the choice must keep: milliseconds of all parts once, megabytes of their artefacts."""

    max_ms: float | None = None
    max_mb: float | None = None


def candidates(manifest: Manifest, *, cores: int) -> list[Candidate]:
    """Return every way to run each part of the runtime with what is installed here."""
    from voxtoon.bench.stages import runtime_parts
    from voxtoon.engines import ENGINES, PRECISIONS

    threads = [count for count in (1, 2, _MOST_THREADS) if count <= cores]
    engines = [spec for spec in ENGINES.values() if spec.automatic and spec.is_available()]
    return [
        Candidate(part, spec.name, artefact.precision, count, artefact_bytes(manifest, artefact))
        for part in runtime_parts(manifest)
        for artefact in manifest.artefacts_of(part)
        for spec in engines
        # An int8 artefact of this name has passed the gate of `voxtoon quantize`; others carry other names.
        if spec.runs(artefact) and artefact.precision in PRECISIONS
        for count in threads
    ]


def artefact_bytes(manifest: Manifest, artefact: Artefact) -> int:
    """Bytes of an artefact, of all its files where it is a folder."""
    names = (artefact.file,) if artefact.file in manifest.files else manifest.files_in(artefact.file)
    return sum(manifest.files[name].bytes for name in names)


def measure(bundle_path: Path, *, warmup_runs: int, runs: int) -> Iterator[Mapping[str, Any]]:
    """Time every candidate on this machine, all of a part by turns, and check each against golden values.

    Yields
    ------
    mapping
        ``device`` and then the ``candidates`` of one part after another.
    """
    from voxtoon.bench.device import describe_device
    from voxtoon.bench.protocol import rounds
    from voxtoon.bench.stages import Opened
    from voxtoon.bundle import open_bundle
    from voxtoon.golden import Golden

    device = describe_device()
    yield {"device": encode(device)}
    with open_bundle(bundle_path) as bundle:
        golden = Golden(bundle)
        found = candidates(bundle.manifest, cores=device.processor.cores)
        for part, group in itertools.groupby(found, key=lambda candidate: candidate.part):
            stages: dict[str, Stage] = {}
            told = []
            for number, candidate in enumerate(group):
                settings = Settings(candidate.engine, candidate.precision, candidate.threads)
                opened = Opened(bundle, settings, golden)
                problem = _problem(opened, part)
                told.append(replace(candidate, problem=problem))
                if problem is None:
                    stages[str(number)] = _stage(opened, part)
            times = rounds(stages, warmup_runs=warmup_runs, runs=runs, between=lambda: None)
            for name, nanoseconds in times.items():
                median = Summary.of([time / 1e9 for time in nanoseconds]).p50
                told[int(name)] = replace(told[int(name)], p50_s=median)
            yield {"candidates": encode(told)}


def choose(found: Sequence[Candidate], limits: Limits) -> dict[str, Candidate]:
    """Return the fastest way to run each part that keeps the limits together.

    Raises
    ------
    CheckError
        When none does; the message says how near one comes.
    """
    groups = []
    for part, group in itertools.groupby(found, key=lambda candidate: candidate.part):
        usable = [candidate for candidate in group if candidate.p50_s is not None]
        if not usable:
            raise CheckError(f"no artefact of the part {part} can be run there", got=_problems(found, part))
        groups.append(_worth_trying(usable))
    ways = [way for way in itertools.product(*groups) if _megabytes(way) <= (limits.max_mb or float("inf"))]
    if not ways:
        least = min(sum(min(c.bytes for c in group) for group in groups), 1 << 62) / 1e6
        raise CheckError("no choice is small enough", got=f"{least:.2f} MB", expected=f"{limits.max_mb} MB")
    best = min(ways, key=_milliseconds)
    if limits.max_ms is not None and _milliseconds(best) > limits.max_ms:
        got = f"{_milliseconds(best):.1f} ms for all parts once"
        raise CheckError("no choice is fast enough", got=got, expected=f"{limits.max_ms:g} ms")
    return {candidate.part: candidate for candidate in best}


def write(bundle: Path, manifest: Manifest, device_key: str, chosen: Mapping[str, Candidate]) -> Path:
    """Write the choice beside the bundle, in place of an earlier one for this device; return the file."""
    from voxtoon.atomic_file import write_atomically

    before = read_tuning(bundle, manifest)
    choices = {}
    for part, candidate in chosen.items():
        if candidate.p50_s is None:
            raise InputError("a choice that was not measured", got=part)
        choices[part] = Choice(
            candidate.engine, candidate.precision, candidate.threads, candidate.p50_s, candidate.bytes
        )
    devices = {**(before.devices if before is not None else {}), device_key: choices}
    path = tuning_path(bundle)
    write_atomically({path: Tuning(manifest_hash(manifest), devices).to_bytes()})
    return path


def _worth_trying(usable: Sequence[Candidate]) -> list[Candidate]:
    """Leave out what another one beats in bytes and time; of equals the one with fewer threads stays."""
    kept: list[Candidate] = []
    for candidate in sorted(usable, key=lambda c: (c.bytes, c.threads)):
        fastest = min((other.p50_s or 0.0 for other in kept), default=float("inf"))
        if (candidate.p50_s or 0.0) * _NEARLY < fastest:
            kept.append(candidate)
    return kept


def _milliseconds(way: Sequence[Candidate]) -> float:
    return 1000 * sum(candidate.p50_s or 0.0 for candidate in way)


def _megabytes(way: Sequence[Candidate]) -> float:
    return sum(candidate.bytes for candidate in way) / 1e6


def _problems(found: Sequence[Candidate], part: str) -> str:
    return "; ".join(f"{c.engine} {c.precision}: {c.problem}" for c in found if c.part == part) or "none"


def _problem(opened: Opened, part: str) -> str | None:
    """Load a candidate and check it; streaming parts are checked by what they were exported with."""
    from voxtoon.verification import verify

    try:
        _, artefact = opened.choice(part)
        if any(name.startswith(f"{part}.") for name in opened.bundle.manifest.golden):
            for check in verify(opened.bundle, only=[artefact]):
                if check.part == part and check.problem is not None:
                    return check.problem
        _stage(opened, part)()
    except VoxtoonError as error:
        return str(error)
    return None


def _stage(opened: Opened, part: str) -> Stage:
    from voxtoon.bench.stages import example_inputs

    session = opened.session(part)
    inputs = example_inputs(opened.bundle.manifest, opened.choice(part)[1], opened.golden.frames)
    return lambda: session.run(inputs)
