"""The history of performance: what grew is told, and only what was measured alike is compared."""

import copy
import json
import sys
from pathlib import Path

import pytest

from benchmarks import history

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def now():
    return history.figures(rounds=1)


def test_nothing_grew_against_itself(now):
    assert history.comparable(now, now) == ["sizes", "counts", "shares"]
    assert history.compare(now, now) == []


def test_what_grew_is_named_with_both_figures(now):
    before = copy.deepcopy(now)
    before["counts"]["whole: calls"] -= before["counts"]["whole: calls"] // 10
    (growth,) = history.compare(now, before)
    assert str(growth).startswith(f"whole: calls: {before['counts']['whole: calls']:.6g} -> ")


def test_counts_of_other_packages_and_shares_of_another_processor_are_not_compared(now):
    elsewhere = {**now, "processor": "another"}
    assert history.comparable(now, elsewhere) == ["sizes", "counts"]
    assert history.comparable(now, {**now, "software": {"python": "3.99"}}) == ["sizes"]


@pytest.mark.parametrize(("factor", "code"), [(1, 0), (0.5, 1)])
def test_a_size_that_grew_ends_ci(now, factor, code, tmp_path, monkeypatch, capsys):
    before = copy.deepcopy(now)
    before["sizes"]["head: bytes"] *= factor
    before["software"] = {}  # Python calls may differ by one between two runs in one process
    (tmp_path / "before.json").write_text(json.dumps(before))
    files = ["--json", str(tmp_path / "now.json"), "--against", str(tmp_path / "before.json")]
    monkeypatch.setattr(sys, "argv", ["history", *files, "--rounds", "1"])
    assert history.main() == code
    assert ("grew: head: bytes" in capsys.readouterr().out) == (code == 1)
    assert json.loads((tmp_path / "now.json").read_text())["sizes"] == now["sizes"]


def test_ci_compares_with_a_history_that_holds_every_kind_of_figure(now):
    before = json.loads((ROOT / "benchmarks" / "history.json").read_text())
    assert before.keys() == now.keys()
    assert "--against benchmarks/history.json" in (ROOT / ".ci" / "run").read_text()
