"""The tables of README.md and docs/devices.md that records of ``voxtoon bench`` fill.

``python -m benchmarks.measured [--write]`` prints them from the records in docs/records/; ``make bench``
measures those again and writes the pages.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.page import markdown, tell
from voxtoon.bench.compare import Ratio, compare
from voxtoon.bench.record import OURS, Peer, Record, read_record
from voxtoon.bench.stages import WHOLE
from voxtoon.bench.text import PEER_HEADER, busy_before, comparison_rows, figures, latency_rows, peer_rows

ROOT: Final = Path(__file__).resolve().parents[1]
RECORDS: Final = ROOT / "docs" / "records"
README, DEVICES = ROOT / "README.md", ROOT / "docs" / "devices.md"
START, END = "<!-- of the records of voxtoon bench -->", "<!-- end of the records -->"
_REPEATABLE: Final = 1.05
_NOT_YET: Final = "Not measured yet: `make bench` writes this, on a machine with nothing else to do."


def readme(embedded: Record) -> Iterator[str]:
    """What the embedded model costs, for people who decide whether to read on."""
    yield _where(embedded)
    yield markdown([("what", "measured"), *_readme_rows(embedded)])


def devices(embedded: Record, again: Record | None, fp32: Record | None) -> Iterator[str]:
    """Every figure of the embedded model, how far they repeat, and what there is besides."""
    yield _where(embedded)
    yield markdown([("warm, ms", "p50", "p90", "p95", "p99", "max", "n"), *latency_rows(embedded)])
    yield markdown([("", ""), *figures(embedded).items()])
    if again is not None:
        yield f"The same measured a second time: {_repeated(embedded, again)}"
        yield _compared("second / first", compare(embedded, again))
    if fp32 is not None:
        yield "The same model in float32, and int8 against it:"
        yield _compared("int8 / fp32", compare(fp32, embedded))
    for title, record in (("The embedded model", embedded), ("The same model in float32", fp32)):
        if record is not None and record.peers:
            yield f"{title} beside others, by turns in one process; above 1 the other is slower:"
            yield markdown([PEER_HEADER, *peer_rows(record)])


def _where(record: Record) -> str:
    device = record.device
    assert device is not None
    cores = " + ".join(device.processor.parts) or device.processor.model or device.processor.architecture
    threads = record.settings.threads or 1
    busy = busy_before(record)
    idle = "" if busy is None else f" NOT IDLE: {busy}."
    return (
        f"{record.created[:10]}, {device.processor.cores} x {cores}, "
        f"{threads} {'thread' if threads == 1 else 'threads'}.{idle}"
    )


def _readme_rows(record: Record) -> Iterator[tuple[str, str]]:
    start, memory, call = record.cold_start, record.memory, record.first_avatar
    assert start is not None
    assert memory is not None
    assert memory.peak_rss_bytes is not None
    assert call is not None
    assert record.model is not None
    assert record.real_time_factor is not None
    whole = record.latency[WHOLE].summary_s
    faster = 1 / record.real_time_factor
    precisions = [used.precision for used in record.artefacts if used.part.startswith("encoder")]
    held = "/".join(dict.fromkeys(precisions))
    seconds = {name: latency.summary_s.p50 for name, latency in vars(start).items()}
    yield (
        f"a new process, to the avatar of {record.model.audio_s:g} s of voice",
        f"{seconds['first_avatar']:.2f} s, {memory.peak_rss_bytes / 1e6:.0f} MB at most "
        f"(Python, numpy and engine alone {seconds['interpreter'] + seconds['imports']:.2f} s)",
    )
    yield (
        "from samples to PNG, warm, p50 / p95",
        f"{1000 * whole.p50:.1f} / {1000 * whole.p95:.1f} ms, {faster:.0f} times faster than speech",
    )
    parts = ", ".join(
        f"{name.replace('_', ' ')} {1000 * latency.summary_s.p50:.1f}"
        for name, latency in record.latency.items()
        if name != WHOLE
    )
    yield "its stages, p50 in ms", parts
    yield (
        "a call, to its first avatar",
        f"{call.heard_s:.1f} s of it and {1000 * call.computed_s:.0f} ms of computing",
    )
    yield f"networks in the wheel, {held}", f"{record.model_bytes / 1e6:.2f} MB"
    if record.sustained is not None:
        yield (
            f"{record.sustained.seconds:.0f} s without a pause",
            f"the end takes {record.sustained.slowdown:.2f} times as long as the beginning",
        )
    for part in dict.fromkeys(peer.part for peer in record.peers):
        yield f"{part.replace('_', ' ')} by others, against ours", _ratios(record, part)


def _ratios(record: Record, part: str) -> str:
    """Every peer that could run a part: its name and how many times as long it takes."""
    of_part = {peer.peer: peer for peer in record.peers if peer.part == part and peer.latency is not None}
    ours = _p50(of_part.pop(OURS))
    return ", ".join(f"{name} {_p50(peer) / ours:.2f}x" for name, peer in of_part.items())


def _p50(peer: Peer) -> float:
    assert peer.latency is not None
    return peer.latency.summary_s.p50


def _repeated(first: Record, second: Record) -> str:
    ratios = {ratio.stage: max(ratio.ratio, 1 / ratio.ratio) for ratio in compare(first, second)}
    worst = max(ratios, key=lambda stage: ratios[stage])
    kept = "which keeps" if ratios[worst] < _REPEATABLE else "which does NOT keep"
    return (
        f"at most {100 * (ratios[worst] - 1):.1f} % between the two p50 of a stage ({worst}), {kept} the 5 % "
        "that an idle machine should."
    )


def _compared(name: str, ratios: tuple[Ratio, ...]) -> str:
    return markdown([(name, "p50 ms", "p50 ms", "ratio", "95 % confident", ""), *comparison_rows(ratios)])


def pages(records: Path = RECORDS) -> dict[Path, list[str]]:
    """Return what belongs between the marks of each page."""
    embedded = _stored(records / "embedded.json")
    if embedded is None:
        return {page: [_NOT_YET] for page in (README, DEVICES)}
    again, fp32 = (_stored(records / f"{name}.json") for name in ("embedded-again", "fp32"))
    return {README: list(readme(embedded)), DEVICES: list(devices(embedded, again, fp32))}


def _stored(path: Path) -> Record | None:
    return read_record(path) if path.exists() else None


def main() -> None:
    """Print the tables, and put them into the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="into README.md and docs/devices.md")
    arguments = parser.parse_args()
    for page, sections in pages().items():
        tell(sections, page if arguments.write else None, start=START, end=END)


if __name__ == "__main__":
    main()
