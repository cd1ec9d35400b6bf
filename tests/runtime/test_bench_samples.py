"""Samples are kept whole, and no figure is told that they do not support."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.bench.samples import Latency, Samples, Summary
from voxtoon.errors import CheckError

NANOSECONDS = st.lists(st.integers(0, 10**15), min_size=1, max_size=300)


@settings(deadline=None)
@given(NANOSECONDS)
def test_every_sample_comes_back(times):
    np.testing.assert_array_equal(Samples.of(times).seconds(), np.array(times) / 1e9)


@settings(deadline=None)
@given(NANOSECONDS)
def test_figures_are_in_order_and_p99_needs_a_hundred_samples(times):
    found = Latency.of(times).summary_s
    assert found.p50 <= found.p90 <= found.p95 <= found.max
    assert (found.p99 is None) == (len(times) < 100)
    assert found.n == len(times)


def test_the_figures_of_known_samples():
    found = Summary.of(np.arange(1, 101))
    assert (found.p50, found.max, found.mean) == (50.5, 100, 50.5)
    assert (found.p90, found.p99) == pytest.approx((90.1, 99.01))


def test_many_alike_samples_take_little_room():
    times = np.random.default_rng(1).normal(5e6, 1e4, 10_000).astype(int)
    assert len(Samples.of(times).data) < 5 * len(times)


@pytest.mark.parametrize("data", ["no base64!", "AAAA", Samples.of([1]).data])
def test_damaged_samples_are_refused(data):
    with pytest.raises(CheckError, match="samples"):
        Samples(2, data).seconds()
