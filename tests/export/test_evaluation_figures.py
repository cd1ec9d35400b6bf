import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon_export.evaluation.figures import angles_deg, pearson, r2, shuffled_orders

RNG = np.random.default_rng(0)
FACES = RNG.uniform(size=(20, 4, 4, 3))


def test_r2_of_the_truth_is_1_and_of_the_baseline_is_0():
    baseline = FACES.mean(axis=0)
    assert r2(FACES, FACES, baseline) == 1.0
    assert r2(np.broadcast_to(baseline, FACES.shape), FACES, baseline) == 0.0


def test_r2_half_way_from_the_baseline_to_the_truth_is_three_quarters():
    baseline = FACES.mean(axis=0)
    assert r2(0.5 * (FACES + baseline), FACES, baseline) == pytest.approx(0.75)


def test_r2_of_another_clips_face_is_negative():
    assert r2(np.roll(FACES, 1, axis=0), FACES, FACES.mean(axis=0)) < 0


@given(st.floats(0.01, 100.0), st.floats(-100.0, 100.0))
def test_pearson_of_a_linear_relation_is_1_whatever_its_slope_and_offset(slope, offset):
    values = np.arange(10.0)
    assert pearson(values, slope * values + offset) == pytest.approx(1.0)
    assert pearson(values, offset - slope * values) == pytest.approx(-1.0)


def test_pearson_agrees_with_numpy_on_noise():
    a, b = RNG.standard_normal((2, 50))
    assert pearson(a, a + b) == pytest.approx(np.corrcoef(a, a + b)[0, 1])


def test_pearson_of_something_constant_is_0():
    assert pearson(np.full(7, 0.1), np.arange(7.0)) == 0.0


def test_angles_are_in_degrees_and_of_the_last_axis():
    first = [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0]]
    second = [[0.0, 3.0], [5.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]
    assert angles_deg(first, second) == pytest.approx([90.0, 0.0, 45.0, 180.0])


def test_the_angle_to_nothing_is_not_a_number():
    assert np.isnan(angles_deg([0.0, 0.0], [1.0, 0.0]))


def test_a_shuffle_never_gives_a_clip_its_own_speaker():
    speakers = ["a", "a", "b", "c", "c", "c"]
    for order in shuffled_orders(speakers, count=50, seed=0):
        assert all(speakers[mine] != speakers[given] for mine, given in enumerate(order))


def test_shuffles_are_the_same_for_the_same_seed_and_differ_from_each_other():
    speakers = [str(number) for number in range(30)]
    first, second = shuffled_orders(speakers, count=2, seed=1)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, shuffled_orders(speakers, count=2, seed=1)[0])


def test_a_lone_speaker_can_only_be_shuffled_with_itself():
    assert shuffled_orders(["a"], count=1, seed=0)[0].tolist() == [0]
