"""Speeds are ratios of the fastest runs, of sessions that take turns: by a clock that the tests turn."""

import pytest

from voxtoon_quantize import timing


class Clock:
    """A clock that stands still until a session of it runs."""

    def __init__(self):
        self.now_s = 0.0
        self.runs = []

    def thread_time(self):
        return self.now_s

    def session(self, name, took_s):
        """A session whose first run takes ten times as long."""
        clock = self

        class Session:
            def run(self, inputs):
                clock.now_s += took_s * (1 if name in clock.runs else 10)
                clock.runs.append(name)

        return Session()


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(timing, "time", found)
    return found


def test_the_fastest_run_of_each_counts(clock):
    ratio = timing.speed_ratio(clock.session("float", 0.004), clock.session("int8", 0.002), {})

    assert ratio == pytest.approx(2.0)


def test_they_take_turns_so_that_a_busy_moment_is_of_both(clock):
    timing.speed_ratio(clock.session("float", 0.004), clock.session("int8", 0.002), {})

    assert clock.runs[::2] == ["float"] * (len(clock.runs) // 2)
    assert clock.runs[1::2] == ["int8"] * (len(clock.runs) // 2)


@pytest.mark.parametrize(("took_s", "runs"), [(0.00005, 1000), (0.004, 15), (2.0, 2)])
def test_what_is_quick_runs_more_often_and_what_is_slow_less(clock, took_s, runs):
    timing.run_ms(clock.session("only", took_s), {})

    assert len(clock.runs) == pytest.approx(runs, rel=0.02)
