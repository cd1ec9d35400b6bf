"""Our steps beside plain ones, held against limits that were set where plain ones had another speed."""

from pathlib import Path

from benchmarks.plain_steps import END, START, least_seconds, row
from benchmarks.streaming_cost import FLOAT, INTEGERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "streaming.md"
FOUND = {"plain": 0.2, "step": 0.19, "head": 0.02}


def test_a_processor_half_as_fast_does_not_change_what_ours_would_have():
    slow = {what: 2 * seconds for what, seconds in FOUND.items()}
    fast_row = row("v", FLOAT, FOUND, step_s=0.64, plain_float_s=0.2)
    slow_row = row("v", FLOAT, slow, step_s=0.64, plain_float_s=0.4)

    assert fast_row[-3:] == slow_row[-3:] == ("0.154", "0.17", "met")
    assert fast_row[-4] != slow_row[-4]


def test_a_step_that_is_slower_than_its_limit_allows_is_told():
    assert row("v", FLOAT, {**FOUND, "head": 0.05}, step_s=0.64, plain_float_s=0.2)[-1] == "**MISSED**"
    assert row("v", INTEGERS, FOUND, step_s=0.64, plain_float_s=0.2)[-1] == "**MISSED**"


def test_the_first_round_is_not_counted():
    runs = []
    least_seconds({"step": lambda: runs.append(1)}, rounds=3)
    assert len(runs) == 4


def test_the_page_has_a_place_for_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(START) == text.count(END) == 1
