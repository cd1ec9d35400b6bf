"""The tables of README.md and docs/devices.md are those that the stored records give."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from benchmarks import measured
from benchmarks.page import tell
from voxtoon.bench.host import run
from voxtoon.bench.record import OURS, Peer, Protocol, read_record
from voxtoon.bundle import DEFAULT_BUNDLE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "bench-record.schema.json").read_text())
PAGES = (measured.README, measured.DEVICES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_what_the_stored_records_say(page):
    told = "\n\n".join(measured.pages()[page])
    hint = "`make bench` (or python -m benchmarks.measured --write) brings it up to date"
    assert f"{measured.START}\n\n{told}\n\n{measured.END}" in page.read_text(), hint


def test_stored_records_are_whole_and_right_and_keep_to_the_schema():
    for path in measured.RECORDS.glob("*.json"):
        jsonschema.validate(json.loads(path.read_text()), SCHEMA)
        record = read_record(path)
        assert (record.problem, record.accurate, record.on) == (None, True, "local")
        assert not record.device.emulated


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder with a real record, the same with twice its times, and peers."""
    done = run(DEFAULT_BUNDLE, protocol=Protocol(warmup_runs=1, runs=3, cold_runs=1))
    assert done.error is None
    encoder = done.record.latency["encoder"]
    peers = (
        Peer("encoder", OURS, "1", encoder, None),
        Peer("encoder", "another", "2.0", encoder, 1e-3),
        Peer("encoder", "a third", None, None, None, "it is not installed"),
    )
    folder = tmp_path_factory.mktemp("records")
    replace(done.record, peers=peers).save(folder / "embedded.json")
    slow = {**done.record.latency, "encoder": done.record.latency["whole"]}
    replace(done.record, latency=slow).save(folder / "embedded-again.json")
    return folder


def test_the_readme_tells_the_figures_of_the_record(records):
    record = read_record(records / "embedded.json")
    told = "\n\n".join(measured.pages(records)[measured.README])
    assert f"encoder {1000 * record.latency['encoder'].summary_s.p50:.1f}" in told
    assert f"{record.model_bytes / 1e6:.2f} MB" in told
    assert "| encoder by others, against ours | another 1.00x |" in told


def test_the_page_tells_reasons_and_what_does_not_repeat(records):
    told = "\n\n".join(measured.pages(records)[measured.DEVICES])
    assert "| encoder | a third | - | - | - | it is not installed |" in told
    assert "(encoder), which does NOT keep the 5 %" in told


def test_the_command_writes_between_the_marks_and_nowhere_else(records, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{measured.START}\nold\n{measured.END}\nafter\n")
    tell(measured.pages(records)[measured.README], page, start=measured.START, end=measured.END)
    first, *between, last = page.read_text().splitlines()
    assert (first, last) == ("before", "after")
    assert "old" not in between
    assert any(line.startswith("| a new process, to the avatar") for line in between)
