"""A histogram keeps counts exactly, in memory that does not grow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxtoon.errors import CheckError
from voxtoon_quantize.histogram import Histogram

VALUES = arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e4, 1e4, width=32))


def filled(*pieces):
    histogram = Histogram()
    for piece in pieces:
        histogram.add(np.asarray(piece, np.float32))
    return histogram


@settings(max_examples=50, deadline=None)
@given(first=VALUES, second=VALUES)
def test_how_values_arrive_makes_no_difference(first, second):
    apart, together = filled(first, second), filled(np.concatenate([first, second]))

    assert apart.width == together.width
    np.testing.assert_array_equal(apart.counts, together.counts)
    assert (apart.minimum, apart.maximum) == (together.minimum, together.maximum)


@settings(max_examples=50, deadline=None)
@given(values=VALUES)
def test_every_value_lies_in_the_bin_that_counts_it(values):
    histogram = filled(values)
    edges = np.append(histogram.centres - histogram.width / 2, histogram.centres[-1] + histogram.width / 2)

    assert histogram.counts.sum() == len(values)
    np.testing.assert_array_equal(histogram.counts, np.histogram(values.astype(np.float64), edges)[0])


def test_extremes_are_exact():
    histogram = filled([3.25, 7.5], [5.0])

    assert (histogram.minimum, histogram.maximum) == (3.25, 7.5)


def test_nothing_adds_nothing():
    assert filled([]).counts.sum() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(bad):
    with pytest.raises(CheckError, match="relu_3 has values that are not finite"):
        Histogram().add(np.array([1.0, bad], np.float32), name="relu_3")
