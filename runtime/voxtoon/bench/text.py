"""Records, comparisons and choices as tables for a terminal, and their figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from voxtoon.bench.compare import Ratio
from voxtoon.bench.record import OURS, Record
from voxtoon.bench.tune import Candidate
from voxtoon.cli.console import table

_SHORT_INFERENCE_S: Final = 5e-3

_IDLE_CORES: Final = 0.2

PEER_HEADER: Final = ("part", "by", "p50 ms", "ratio", "differs by", "")


def name_of(record: Record) -> str:
    """Return what tells a record from another one: the device, and how the encoder ran."""
    device = record.device
    where = record.on
    if device is not None:
        where = device.model or device.processor.model or device.processor.architecture
    used = next((a for a in record.artefacts if a.part.startswith("encoder")), None)
    how = "" if used is None else f", {used.engine} {used.precision}"
    threads = record.settings.threads
    return f"{where}{how}" + (f", {threads} threads" if threads else "")


def busy_before(record: Record) -> str | None:
    """Say how busy others kept the machine before the run; None where it was idle."""
    busy = record.conditions[0].busy_cores if record.conditions else None
    if busy is None or busy < _IDLE_CORES:
        return None
    return f"others kept {busy:.1f} cores at work before it began: only ratios within this run mean something"


def figures(record: Record) -> dict[str, str]:
    """Return everything but the warm latencies, by name, in words."""
    found: dict[str, str] = {}
    _add_device(found, record)
    _add_model(found, record)
    if record.cold_start is not None:
        start = record.cold_start
        steps = [
            f"{name.replace('_', ' ')} {_ms(latency.summary_s.p50)}" for name, latency in vars(start).items()
        ]
        found["new process, ms"] = f"{', '.join(steps)} (n = {start.first_avatar.summary_s.n})"
    if record.real_time_factor is not None and record.model is not None:
        found["real-time factor"] = f"{record.real_time_factor:.4f} ({record.model.audio_s:g} s to an avatar)"
    if record.first_avatar is not None:
        heard, computed = record.first_avatar.heard_s, 1000 * record.first_avatar.computed_s
        found["first avatar of a call"] = f"after {heard:.2f} s of it and {computed:.0f} ms of computing"
    memory = record.memory
    if memory is not None and memory.peak_rss_bytes is not None:
        fair = "" if memory.pss_bytes is None else f", PSS {memory.pss_bytes / 1e6:.0f} MB"
        found["memory"] = f"peak RSS {memory.peak_rss_bytes / 1e6:.0f} MB{fair}"
    if record.sustained is not None:
        s = record.sustained
        found["without a pause"] = (
            f"{s.seconds:.0f} s; the last {s.window_s:.0f} s take {s.slowdown:.2f}x the time of the first"
        )
    if record.energy is not None:
        found["energy"] = f"{record.energy.joules_per_round:.3f} J a round ({record.energy.source})"
    if record.overhead_s is not None:
        share = 100 * record.overhead_s / _SHORT_INFERENCE_S
        found["cost of timing"] = f"{1e9 * record.overhead_s:.0f} ns a sample, {share:.4f} % of 5 ms"
    _add_conditions(found, record)
    if record.accuracy is not None:
        failed = [check for check in record.accuracy if check.problem]
        wrong = "; ".join(f"{check.part} {check.output}: {check.problem}" for check in failed)
        found["accuracy"] = (
            f"WRONG: {wrong}" if wrong else f"all {len(record.accuracy)} outputs agree with the golden values"
        )
    return found


def record_text(record: Record) -> str:
    """Everything a person wants of a record, in a screenful."""
    lines = [name_of(record)]
    if record.device is not None and record.device.emulated:
        lines.append("EMULATED: right or wrong can be told from this, fast or slow cannot")
    busy = busy_before(record)
    if busy is not None:
        lines.append(f"NOT IDLE: {busy}")
    if record.problem is not None:
        lines.append(f"NOT WHOLE: {record.problem}")
    if record.latency:
        header = ("warm, ms", "p50", "p90", "p95", "p99", "max", "n")
        lines += ["", table(header, latency_rows(record))]
    if record.peers:
        lines += ["", table(PEER_HEADER, peer_rows(record))]
    told = figures(record)
    width = max(map(len, told))
    return "\n".join([*lines, "", *(f"{name:<{width}}  {words}" for name, words in told.items())])


def latency_rows(record: Record) -> list[tuple[str, ...]]:
    """The warm latencies of each stage in milliseconds: p50, p90, p95, p99, max and how many."""
    rows = []
    for name, latency in record.latency.items():
        s = latency.summary_s
        cells = ("-" if value is None else _ms(value) for value in (s.p50, s.p90, s.p95, s.p99, s.max))
        rows.append((name, *cells, str(s.n)))
    return rows


def peer_rows(record: Record) -> list[tuple[str, ...]]:
    """What others take for the same, each with its ratio to voxtoon, under `PEER_HEADER`."""
    ours = {peer.part: peer.latency for peer in record.peers if peer.peer == OURS}
    rows: list[tuple[str, ...]] = []
    for peer in record.peers:
        own, latency = ours.get(peer.part), peer.latency
        name = " ".join(filter(None, (peer.peer, peer.version)))
        difference = "-" if peer.max_abs_relative is None else f"{peer.max_abs_relative:.1e}"
        if latency is None or own is None:
            rows.append((peer.part, name, "-", "-", difference, peer.problem or ""))
            continue
        p50 = latency.summary_s.p50
        rows.append((peer.part, name, _ms(p50), f"{p50 / own.summary_s.p50:.2f}x", difference, ""))
    return rows


def comparison_text(first: str, second: str, ratios: Sequence[Ratio]) -> str:
    """How much longer the second took than the first; a tilde marks what may as well be equal."""
    header = (f"{second} / {first}", "p50 ms", "p50 ms", "ratio", "95 % confident", "")
    return table(header, comparison_rows(ratios))


def comparison_rows(ratios: Sequence[Ratio]) -> list[tuple[str, ...]]:
    """Each stage with its medians, their ratio and interval; a tilde marks what may as well be equal."""
    return [
        (
            ratio.stage,
            _ms(ratio.first_s),
            _ms(ratio.second_s),
            f"{ratio.ratio:.3f}x",
            f"{ratio.low:.3f} to {ratio.high:.3f}",
            "" if ratio.differs else "~",
        )
        for ratio in ratios
    ]


def tuning_text(found: Sequence[Candidate], chosen: Mapping[str, Candidate]) -> str:
    """What was tried, or what was chosen of it."""
    rows = [
        (
            candidate.part,
            candidate.engine,
            candidate.precision,
            str(candidate.threads),
            "-" if candidate.p50_s is None else _ms(candidate.p50_s),
            f"{candidate.bytes:,}",
            candidate.problem or "",
        )
        for candidate in (chosen.values() if chosen else found)
    ]
    return table(
        ("chosen" if chosen else "tried", "engine", "precision", "threads", "p50 ms", "bytes", ""), rows
    )


def _add_device(found: dict[str, str], record: Record) -> None:
    device, software = record.device, record.software
    if device is not None:
        cores = " + ".join(device.processor.parts) or device.processor.model or device.processor.architecture
        memory = "" if device.memory_bytes is None else f", {device.memory_bytes / 2**30:.1f} GiB"
        found["device"] = f"{device.model or 'unnamed'}, {device.processor.cores} x {cores}{memory}"
        found["system"] = f"{device.os or 'unnamed'}, {device.kernel}"
        found["governor"] = device.governor or "not told"
    if software is not None:
        packages = ", ".join(f"{name} {version}" for name, version in software.packages.items())
        found["software"] = f"Python {software.python}, {packages}"


def _add_model(found: dict[str, str], record: Record) -> None:
    if record.model is None:
        return
    used = ", ".join(f"{a.part} {a.format} {a.precision}" for a in record.artefacts)
    found["model"] = f"{record.model.variant}: {used}"
    found["bytes of the model"] = f"{record.model_bytes:,}"


def _add_conditions(found: dict[str, str], record: Record) -> None:
    if not record.conditions:
        return
    degrees = [seen.temperature_c for seen in record.conditions if seen.temperature_c is not None]
    clocks = [seen.frequency_hz for seen in record.conditions if seen.frequency_hz is not None]
    told = [seen.throttled for seen in record.conditions if seen.throttled is not None]
    reasons = sorted({reason for reasons in told for reason in reasons})
    found["temperature"] = f"{degrees[0]:.0f} to {max(degrees):.0f} °C" if degrees else "not told"
    found["clock"] = f"{min(clocks) / 1e6:.0f} to {max(clocks) / 1e6:.0f} MHz" if clocks else "not told"
    busy = record.conditions[0].busy_cores
    if busy is not None:
        found["others at work"] = f"{busy:.2f} cores before it began"
    found["throttled"] = (", ".join(reasons) or "never") if told else "not told"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"
