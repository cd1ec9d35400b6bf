"""When a feature has stopped moving."""

import numpy as np
import pytest

from voxtoon.settling import STABLE_ANGLE_DEG, STABLE_SPEECH_S, Settling, angle_deg


def at(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def follow(*path):
    settling = Settling()
    return [settling.settled(at(degrees), speech_s=speech_s) for speech_s, degrees in path]


def test_a_feature_that_stands_still_settles_after_three_seconds():
    assert follow(*[(1 + step / 2, 10) for step in range(6)]) == [False] * 4 + [True] * 2


def test_one_that_moves_does_not():
    assert not any(follow(*[(1 + step / 2, 20 * step) for step in range(12)]))


def test_it_is_compared_with_all_of_the_last_second():
    away = STABLE_ANGLE_DEG + 1
    path = [(3.0, 0), (3.5, 0), (4.0, away), (4.5, 0), (5.0, 0), (5.5, 0)]
    assert follow(*path) == [False, False, False, False, False, True]


def test_updates_that_are_rare_are_compared_with_the_one_before():
    assert follow((2.0, 0), (6.0, 0), (9.0, 2), (30.0, 90)) == [False, True, True, False]


def test_nothing_settles_before_enough_speech():
    assert follow((0.5, 0), (1.6, 0), (STABLE_SPEECH_S - 0.1, 0)) == [False] * 3


@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_angles(degrees):
    assert angle_deg(at(0), 3 * at(degrees)) == pytest.approx(degrees, abs=0.05)
    assert angle_deg(np.zeros(2), at(degrees)) == 0
