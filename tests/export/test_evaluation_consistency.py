import math

import pytest

from voxtoon_export.evaluation.consistency import consistency


def test_distances_within_and_between_speakers_are_told_apart():
    found = consistency([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"])
    assert (found.same, found.same_pairs) == (1.0, 2)
    assert (found.different, found.different_pairs) == (10.0, 4)
    assert found.ratio == pytest.approx(0.1)


def test_a_speaker_with_a_single_clip_is_left_out():
    assert consistency([[0.0], [1.0], [500.0]], ["a", "a", "c"]).different_pairs == 0


@pytest.mark.parametrize(
    ("rows", "speakers"), [([[0.0], [1.0]], ["a", "b"]), ([[2.0]] * 4, ["a", "a", "b", "b"])]
)
def test_without_a_pair_or_a_difference_there_is_no_ratio(rows, speakers):
    assert math.isnan(consistency(rows, speakers).ratio)
