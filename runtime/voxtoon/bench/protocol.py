"""The protocol: what is measured, in which order. It runs on the device and gives its results piece by piece.

Every piece is complete when it is given, so that what was measured before a connection broke is not lost.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxtoon.bench import cold_start
from voxtoon.bench.conditions import EnergyCounter, Watch
from voxtoon.bench.device import describe_device, describe_software
from voxtoon.bench.record import (
    AccuracyCheck,
    Conditions,
    FirstAvatar,
    Model,
    Protocol,
    Settings,
    Sustained,
    UsedArtefact,
)
from voxtoon.bench.samples import Latency, Samples, Summary
from voxtoon.bench.stages import SAMPLE_RATE_HZ, WHOLE, Opened, Stage, example_inputs, runtime_parts, stages
from voxtoon.errors import InputError
from voxtoon.manifest_json import encode
from voxtoon.tuning import manifest_hash

Pieces = Iterator[Mapping[str, Any]]

_OVERHEAD_RUNS: Final = 1000
_WINDOW_S: Final = 60.0
_TOLD_EVERY_S: Final = 10.0


def measure(bundle_path: Path, settings: Settings, protocol: Protocol) -> Pieces:
    """Measure a bundle on this machine.

    Parameters
    ----------
    bundle_path
        A folder or a ``.voxtoon`` file with golden values.
    settings, protocol
        How to run it, and how often.

    Yields
    ------
    mapping
        Fields of `Record`, as JSON values; a later piece replaces a field of an earlier one.

    Raises
    ------
    InputError
        When the bundle holds nothing for these settings, or the engine is missing or too old.
    CheckError
        When it is damaged, or cannot be run here.
    """
    from voxtoon.bundle import open_bundle
    from voxtoon.engines import check_version, choose
    from voxtoon.golden import Golden

    run_on(settings.cpus)
    with open_bundle(bundle_path) as bundle:
        for part in runtime_parts(bundle.manifest):  # what cannot be run is refused before anything is
            chosen = choose(bundle.manifest, part, engine=settings.engine, precision=settings.precision)
            check_version(*chosen)
    yield {"device": encode(describe_device()), "software": encode(describe_software())}
    watch = Watch()
    watch.begin()
    yield _conditions(watch)
    start, memory = cold_start.measure(bundle_path, settings, runs=protocol.cold_runs)
    yield {"cold_start": encode(start), "memory": encode(memory)}
    with open_bundle(bundle_path) as bundle:
        opened = Opened(bundle, settings, Golden(bundle))
        yield _what_is_run(opened)
        yield {"accuracy": encode(tuple(_accuracy(opened)))}
        yield from _warm(opened, protocol, watch)
        yield {"first_avatar": encode(_first_avatar(opened))}
        yield from _sustained(opened, protocol, watch)
    watch.look(at_once=True)
    yield _conditions(watch)


def run_on(cpus: Collection[int] | None) -> None:
    """Keep this process and its children to some cores; raises InputError where there are none such."""
    if cpus is None:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except (AttributeError, OSError) as error:
        there = ", ".join(map(str, range(os.cpu_count() or 1)))
        raise InputError(
            "cores to run on", got=", ".join(map(str, cpus)), expected=f"some of {there}"
        ) from error


def timed(stage: Stage) -> int:
    """Nanoseconds that a stage takes once."""
    start = time.perf_counter_ns()
    stage()
    return time.perf_counter_ns() - start


def rounds(
    found: Mapping[str, Stage], *, warmup_runs: int, runs: int, between: Callable[[], None]
) -> dict[str, list[int]]:
    """Run every stage once a round, so that all of them meet the same conditions.

    Parameters
    ----------
    found
        The stages.
    warmup_runs, runs
        Rounds that are not counted, and those that are.
    between
        Called between two rounds, untimed.
    """
    times: dict[str, list[int]] = {name: [] for name in found}
    for counted in range(-warmup_runs, runs):
        for name, stage in found.items():
            nanoseconds = timed(stage)
            if counted >= 0:
                times[name].append(nanoseconds)
        between()
    return times


def overhead_s() -> float:
    """What timing itself costs: the median of timing nothing."""
    return float(np.median([timed(_nothing) for _ in range(_OVERHEAD_RUNS)])) / 1e9


def _nothing() -> None:
    pass


def _warm(opened: Opened, protocol: Protocol, watch: Watch) -> Pieces:
    counter = EnergyCounter()
    times = rounds(stages(opened), warmup_runs=protocol.warmup_runs, runs=protocol.runs, between=watch.look)
    energy = counter.energy(rounds=protocol.warmup_runs + protocol.runs)
    latency = {name: Latency.of(found) for name, found in times.items()}
    audio_s = len(opened.golden.audio) / SAMPLE_RATE_HZ
    factor = latency[WHOLE].summary_s.p50 / audio_s if WHOLE in latency else None
    yield {
        "latency": encode(latency),
        "overhead_s": overhead_s(),
        "real_time_factor": factor,
        "energy": encode(energy),
        **_conditions(watch),
    }


def _sustained(opened: Opened, protocol: Protocol, watch: Watch) -> Pieces:
    """Tell what is known every few seconds: a device that overheats may not come to the end."""
    if not protocol.sustained_s or opened.bundle.manifest.avatar_statistics is None:
        return
    times: list[int] = []
    start = told = time.monotonic()
    while (now := time.monotonic()) - start < protocol.sustained_s:
        if times and now - told >= _TOLD_EVERY_S:
            yield {"sustained": encode(sustained(times)), **_conditions(watch)}
            told = now
        times.append(timed(opened.whole))
        watch.look()
    yield {"sustained": encode(sustained(times)), **_conditions(watch)}


def sustained(nanoseconds: list[int]) -> Sustained:
    """Compare the first minute with the last one, or the halves of less than two minutes."""
    seconds = np.array(nanoseconds) / 1e9
    ends = np.cumsum(seconds)
    window_s = min(_WINDOW_S, float(ends[-1]) / 2)
    first = Summary.of(seconds[: max(1, int(np.searchsorted(ends, window_s)))])
    last = Summary.of(seconds[min(len(seconds) - 1, int(np.searchsorted(ends, ends[-1] - window_s))) :])
    return Sustained(
        seconds=float(ends[-1]),
        window_s=window_s,
        first_s=first,
        last_s=last,
        slowdown=last.p50 / first.p50,
        samples=Samples.of(nanoseconds),
    )


def _first_avatar(opened: Opened) -> FirstAvatar | None:
    if opened.bundle.manifest.avatar_statistics is None:
        return None
    start = time.perf_counter_ns()
    chunks = opened.first_avatar_chunks()
    computed_s = (time.perf_counter_ns() - start) / 1e9
    return None if chunks is None else FirstAvatar(heard_s=chunks / 50, computed_s=computed_s)


def _what_is_run(opened: Opened) -> Mapping[str, Any]:
    manifest = opened.bundle.manifest
    model = Model(
        system=manifest.system,
        variant=manifest.variant,
        manifest_sha256=manifest_hash(manifest),
        audio_s=len(opened.golden.audio) / SAMPLE_RATE_HZ,
    )
    used = [_used(opened, part) for part in runtime_parts(manifest)]
    return {"model": encode(model), "artefacts": encode(used)}


def _used(opened: Opened, part: str) -> UsedArtefact:
    bundle = opened.bundle
    spec, artefact = opened.choice(part)
    listed = bundle.manifest.files
    names = (artefact.file,) if artefact.file in listed else bundle.manifest.files_in(artefact.file)
    entries = [listed[name] for name in names]
    of_all = hashlib.sha256("".join(entry.sha256 for entry in entries).encode()).hexdigest()
    kernels: Mapping[str, int] = {}
    if spec.kernels is not None:
        inputs = example_inputs(bundle.manifest, artefact, opened.golden.frames)
        kernels = spec.kernels(bundle.read(artefact.file), inputs)
    return UsedArtefact(
        part=part,
        format=artefact.format,
        precision=artefact.precision,
        bytes=sum(entry.bytes for entry in entries),
        sha256=entries[0].sha256 if len(entries) == 1 else of_all,
        recipe=artefact.recipe,
        engine=spec.name,
        kernels=kernels,
    )


def _accuracy(opened: Opened) -> Iterator[AccuracyCheck]:
    from voxtoon.verification import verify

    used = [opened.choice(part)[1] for part in runtime_parts(opened.bundle.manifest)]
    for check in verify(opened.bundle, only=used):
        agreement = check.agreement
        yield AccuracyCheck(
            part=check.part,
            output=check.output,
            psnr_db=None if agreement is None else agreement.psnr_db,
            cosine=None if agreement is None else agreement.cosine,
            max_abs_relative=None if agreement is None else agreement.max_abs_relative,
            problem=check.problem,
        )


def _conditions(watch: Watch) -> Mapping[str, tuple[Conditions, ...]]:
    return {"conditions": encode(tuple(watch.seen))}
