import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from voxtoon.agreement import Agreement, Tolerance, compare, worst
from voxtoon.errors import CheckError

REFERENCE = np.array([[1.0, -4.0, 2.0]], np.float32)
FLOATS = arrays.arrays(np.float32, (7,), elements=st.integers(-1000, 1000))


def test_figures_are_the_ones_of_their_definitions():
    agreement = compare(REFERENCE, REFERENCE + np.float32([[0.0, 0.0, 0.5]]), what="feature")

    assert agreement.max_abs == 0.5
    assert agreement.max_abs_relative == 0.125  # the scale is 4, whatever its sign
    assert agreement.psnr_db == pytest.approx(20 * math.log10(4 / math.sqrt(0.25 / 3)))
    assert agreement.cosine == pytest.approx(22 / math.sqrt(21 * 23.25))


def test_identical_arrays_have_figures_that_json_can_hold():
    agreement = compare(REFERENCE, REFERENCE.copy(), what="feature")

    assert agreement.to_json() == {"max_abs": 0.0, "max_abs_relative": 0.0, "psnr_db": 300.0, "cosine": 1.0}


@given(FLOATS, FLOATS, st.sampled_from([0.125, 1.0, 1024.0]))
def test_the_unit_of_an_output_does_not_matter(reference, got, unit):
    if not reference.any():
        reference[0] = 1.0
    one = compare(reference, got, what="")
    other = compare(reference * np.float32(unit), got * np.float32(unit), what="")

    assert other.max_abs == pytest.approx(one.max_abs * unit)
    assert other.max_abs_relative == pytest.approx(one.max_abs_relative)
    assert other.psnr_db == pytest.approx(one.psnr_db)


@pytest.mark.parametrize(
    ("reference", "got", "says"),
    [
        (REFERENCE, REFERENCE.T, "another shape: got [3, 1], expected [1, 3]"),
        (REFERENCE, REFERENCE * np.nan, "output of feature holds values that are not finite"),
        (REFERENCE * np.inf, REFERENCE, "reference of feature holds values that are not finite"),
        (REFERENCE * 0, REFERENCE, "reference is zero everywhere"),
    ],
)
def test_what_cannot_be_compared_is_an_error(reference, got, says):
    with pytest.raises(CheckError) as caught:
        compare(reference, got, what="feature")
    assert says in str(caught.value)


def test_the_worst_is_taken_figure_by_figure():
    near, far = Agreement(0.1, 0.01, 90.0, 0.99), Agreement(0.2, 0.001, 80.0, 0.999)

    assert worst([near, far]) == Agreement(0.2, 0.01, 80.0, 0.99)


def test_a_miss_names_figure_value_and_limit():
    agreement = Agreement(0.5, 2.5e-4, 59.94, 1.0)

    assert Tolerance(max_abs_relative=1e-3).miss(agreement) is None
    assert Tolerance(max_abs_relative=1e-5).miss(agreement) == (
        "max_abs_relative: got 0.00025, expected at most 1e-05"
    )
    assert Tolerance(psnr_db=60).miss(agreement) == "psnr_db: got 59.9, expected at least 60"


def test_nan_never_meets_a_tolerance():
    agreement = Agreement(math.nan, math.nan, math.nan, math.nan)

    assert Tolerance(max_abs_relative=1.0).miss(agreement)
    assert Tolerance(psnr_db=1.0).miss(agreement)


@pytest.mark.parametrize("values", [{}, {"cosine": 0.9}, {"psnr_db": 60.0, "other": 1.0}])
def test_a_tolerance_that_is_not_understood_is_refused(values):
    with pytest.raises(CheckError, match="cannot be checked"):
        Tolerance.from_json(values)


def test_a_tolerance_keeps_its_json():
    tolerance = Tolerance(max_abs_relative=1e-5)

    assert tolerance.to_json() == {"max_abs_relative": 1e-5}
    assert Tolerance.from_json(tolerance.to_json()) == tolerance
