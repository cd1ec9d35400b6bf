"""The four rules, on values whose best range is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxtoon.errors import CheckError
from voxtoon_quantize.histogram import Histogram
from voxtoon_quantize.observers import OBSERVERS, Percentile


def seen(values):
    histogram = Histogram()
    histogram.add(np.asarray(values, np.float32))
    return histogram


@pytest.fixture(scope="module")
def uniform():
    return seen(np.linspace(0.0, 8.0, 100_001))


@pytest.fixture(scope="module")
def bell_with_an_outlier():
    """A bell of deviation 1, and one value at 30."""
    return seen(np.append(np.random.default_rng(0).normal(size=300_000), 30.0))


def test_minmax_takes_everything(bell_with_an_outlier):
    low, high = OBSERVERS["minmax"].range(bell_with_an_outlier)

    assert high == 30.0
    assert low == bell_with_an_outlier.minimum


@pytest.mark.parametrize("percent", [90.0, 99.0, 99.9])
def test_a_percentile_of_even_values_is_that_share_of_the_range(uniform, percent):
    low, high = Percentile(percent).range(uniform)

    assert low == 0.0
    assert high == pytest.approx(8.0 * percent / 100.0, abs=2 * uniform.width)


def test_a_percentile_of_all_values_is_the_whole_range(bell_with_an_outlier):
    assert Percentile(100.0).range(bell_with_an_outlier) == OBSERVERS["minmax"].range(bell_with_an_outlier)


@pytest.mark.parametrize("percent", [0.0, 50.0, 100.1, float("nan")])
def test_a_percentile_that_is_none_is_refused(percent):
    with pytest.raises(CheckError, match="percentile: got"):
        Percentile(percent)


@pytest.mark.parametrize("name", ["percentile", "mse", "entropy"])
def test_one_outlier_does_not_decide_the_range(bell_with_an_outlier, name):
    low, high = OBSERVERS[name].range(bell_with_an_outlier)

    assert -5.2 < low < -2.5
    assert 2.5 < high < 25.0


@pytest.mark.parametrize("name", ["mse", "entropy"])
def test_of_even_values_hardly_any_is_clipped(uniform, name):
    low, high = OBSERVERS[name].range(uniform)

    assert low == 0.0
    assert high >= 0.98 * 8.0


def test_no_other_range_has_a_smaller_squared_error(bell_with_an_outlier):
    values = bell_with_an_outlier.centres[bell_with_an_outlier.counts > 0]
    counts = bell_with_an_outlier.counts[bell_with_an_outlier.counts > 0]

    def error(low, high):
        step = (high - low) / 255
        return counts @ (np.round(np.clip(values, low, high) / step) * step - values) ** 2

    full = OBSERVERS["minmax"].range(bell_with_an_outlier)
    chosen = error(*OBSERVERS["mse"].range(bell_with_an_outlier))
    for shrink in np.linspace(0.1, 1.0, 19):
        assert chosen <= error(full[0], shrink * full[1]) * (1 + 1e-9)


@settings(max_examples=50, deadline=None)
@given(
    values=arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e3, 1e3, width=32)),
    name=st.sampled_from(sorted(OBSERVERS)),
)
def test_every_range_holds_zero_and_lies_within_what_was_seen(values, name):
    low, high = OBSERVERS[name].range(seen(values))

    assert min(0.0, values.min()) <= low <= 0.0 <= high <= max(0.0, values.max())


@pytest.mark.parametrize("name", sorted(OBSERVERS))
def test_a_tensor_that_is_always_zero_has_an_empty_range(name):
    assert OBSERVERS[name].range(seen(np.zeros(10))) == (0.0, 0.0)


@pytest.mark.parametrize("name", sorted(OBSERVERS))
def test_a_tensor_never_seen_has_no_range(name):
    with pytest.raises(CheckError, match="never seen"):
        OBSERVERS[name].range(Histogram())


def test_what_a_sigmoid_reads_is_judged_after_it():
    """Large values, of which a sigmoid makes 1 whatever they are, do not cost the others their steps."""
    values = np.append(np.random.default_rng(0).normal(size=10_000), np.full(10_000, 20.0))
    wide, narrow = (OBSERVERS["mse"].range(seen(values), squashed=squashed) for squashed in (False, True))

    assert wide[1] > 15.0
    assert 5.0 < narrow[1] < 10.0
    assert narrow[0] == pytest.approx(wide[0], abs=1.0)
