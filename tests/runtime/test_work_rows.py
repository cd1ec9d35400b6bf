"""Views of the first rows of work buffers."""

from __future__ import annotations

import numpy as np

from voxtoon.work_rows import WorkRows


def test_rows_are_views_of_every_buffer_from_the_first_row_on() -> None:
    numbers, flags = np.zeros((4, 3)), np.zeros((4, 2), bool)
    some, marks = WorkRows(numbers, flags)[2]
    some[...] = 1.0
    marks[...] = True
    np.testing.assert_array_equal(numbers.sum(axis=1), [3.0, 3.0, 0.0, 0.0])
    np.testing.assert_array_equal(flags.sum(axis=1), [2, 2, 0, 0])


def test_the_views_for_a_number_of_rows_are_made_once() -> None:
    rows = WorkRows(np.zeros((4, 3)))
    assert rows[3] is rows[3]
    assert rows[3][0].shape == (3, 3)
