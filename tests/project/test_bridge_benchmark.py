"""What benchmarks.bridge tells of its turns."""

import numpy as np
import pytest

from benchmarks import bridge
from benchmarks.bridge import Turn, expectations, ratio, run_bridge, sections
from voxtoon.bundle import DEFAULT_BUNDLE
from voxtoon.errors import InputError

TOLD = {
    "a push of 20 ms": 0,
    "20 ms in the front end": 0,
    "unpacking the engine's library": 90,
    "load to first avatar": 300,
}


def turn(whole_ms, *, python_ms=40.0, cold_ms=(300.0, 310.0, 500.0), hop_us=2.5, told=TOLD):
    ours = {"whole": np.full(3, whole_ms / 1e3), "front_end_hop": np.full(3, hop_us / 1e6)}
    return Turn(ours, {"whole": np.full(3, python_ms / 1e3)}, np.array(cold_ms) / 1e3, told)


def missed(turns):
    return [one.what for one in expectations(turns) if not one.met]


def test_a_ratio_is_the_middle_one_of_all_turns_whatever_else_the_machine_did_in_each():
    turns = [turn(40, python_ms=40), turn(88, python_ms=80), turn(180, python_ms=120)]
    assert ratio(turns, "whole") == pytest.approx(1.1)


def test_what_keeps_every_limit_misses_nothing():
    assert missed([turn(44)]) == []
    assert len(expectations([turn(44)])) == 4


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"whole_ms": 44.5}, "the whole way against Python"),
        ({"hop_us": 3.1}, "front end, 20 ms chunks"),
        ({"cold_ms": (300.0, 401.0, 402.0)}, "load to first avatar, new process"),
        ({"told": {**TOLD, "a push of 20 ms": 16}}, "allocated for 20 ms, by a push and by the front end"),
    ],
)
def test_what_is_over_a_limit_is_told(changed, what):
    turns = [turn(**{"whole_ms": 40, **changed})]
    assert missed(turns) == [what]
    line = next(line for line in sections(turns).__next__().splitlines() if line.startswith(f"| {what}"))
    assert line.endswith("| **MISSED** |")


def test_without_new_processes_nothing_is_said_of_them():
    assert "new process" not in "".join(sections([turn(40, cold_ms=())]))


def test_the_readme_has_the_marks_to_write_between():
    text = bridge.README.read_text(encoding="utf-8")
    assert (text.count(bridge.START), text.count(bridge.END)) == (1, 1)


def test_without_java_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no java: expected JDK 17 .*; run: make android"):
        run_bridge(DEFAULT_BUNDLE, runs=1, cold_runs=0)
