"""``voxtoon bench`` as a user meets it."""

import io
import json
from contextlib import redirect_stdout

import pytest

from tests.runtime.conftest import with_golden_values
from voxtoon.bench.record import read_record
from voxtoon.cli import main

SHORT = ["--runs", "2", "--warmup-runs", "1", "--cold-runs", "1"]


@pytest.fixture(scope="module")
def record(tiny_bundle, tmp_path_factory):
    """A record and a page of the tiny bundle, and what was printed."""
    folder = tmp_path_factory.mktemp("record")
    bundle = with_golden_values(tiny_bundle, folder / "golden.voxtoon")
    path, page, told = folder / "here.json", folder / "here.html", io.StringIO()
    with redirect_stdout(told):
        assert main(["bench", str(bundle), *SHORT, "--json", str(path), "--html", str(page)]) == 0
    return path, page, told.getvalue()


def test_a_run_prints_a_table_and_writes_a_record_and_a_page(record):
    path, page, told = record
    assert "whole" in told
    assert "outputs agree with the golden values" in told
    assert read_record(path).accurate
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    for title in ("What was measured", "Latency, warm", "Distribution", "Size, speed", "Faces and avatars"):
        assert title in text
    assert "data:image/png;base64," in text


def test_the_page_needs_nothing_from_outside(record):
    text = record[1].read_text()
    for word in ("http:", "https:", "<script", "<link", "url(", "@import"):
        assert word not in text


def test_names_in_a_record_are_text_and_no_markup(record, golden_bundle, tmp_path):
    from voxtoon.bench.report import page

    value = json.loads(record[0].read_text())
    value["device"]["model"] = "<script>alert(1)</script>"
    hostile = tmp_path / "hostile.json"
    hostile.write_text(json.dumps(value))
    assert "<script" not in page([read_record(hostile)], bundle=golden_bundle)


def test_a_record_is_compared_with_itself(record, capsys):
    path = str(record[0])
    assert main(["bench", "--compare", path, path]) == 0
    assert "1.000x" in capsys.readouterr().out


def test_wrong_results_are_an_error_and_their_times_are_still_kept(
    golden_bundle, rewrite_manifest, tmp_path, capsys
):
    def change(manifest):
        for artefact in manifest["artefacts"]:
            artefact["parity"]["tolerance"] = {"psnr_db": 1000.0}

    rewrite_manifest(golden_bundle, change)
    path = tmp_path / "wrong.json"
    assert main(["bench", str(golden_bundle), *SHORT, "--json", str(path)]) == 1
    told = capsys.readouterr()
    assert "WRONG" in told.out
    assert "the results on local are wrong" in told.err
    assert read_record(path).accurate is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "moon"], "where to measure: got 'moon', expected adb:SERIAL, local, ssh://"),
        (["--runs", "0"], "argument --runs: got '0', expected a whole number, 1 or more"),
        (["--threads", "two"], "argument --threads: got 'two', expected a whole number, 1 or more"),
        (["--max-ms", "soon"], "argument --max-ms: got 'soon', expected a number, more than 0"),
        (["--cpus", "4096"], "cores to run on: got 4096, expected some of 0"),
        (["--cpus", "a"], "argument --cpus: got 'a', expected numbers of cores like 0,1"),
        (["--json", "no/such/folder.json"], "cannot write no/such/folder.json: got no such folder"),
        (["--compare", "a.json"], "--compare: got 1 record, expected two or more"),
        (["--compare", "a.json", "b.json"], "a.json cannot be read"),
        (["no-bundle"], "no such bundle: got no-bundle"),
        (["--engine", "steam"], "unknown engine: got 'steam'"),
        (["--precision", "int3"], "unknown precision: got 'int3'"),
    ],
)
def test_wrong_use_is_one_line(words, said, capsys):
    assert main(["bench", *words]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
