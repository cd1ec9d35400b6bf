"""The teacher learns what voices have in common, and has no opinion from the speaker it judges."""

import numpy as np
import pytest

from recipes.kernel_teacher import KernelSettings, fit_kernel_teacher, opinion_without_speaker

SETTINGS = KernelSettings(ridge=0.05, sharpness=(0.5, 0.2), folds=4)


@pytest.fixture
def task():
    """Forty speakers with two voices each; what is wanted depends on their views."""
    rng = np.random.default_rng(0)
    traits = rng.normal(size=(40, 3)).repeat(2, axis=0)
    views = np.stack([traits, traits @ rng.normal(size=(3, 3))], axis=1)
    voices = (views + rng.normal(0, 0.1, views.shape)).astype(np.float32)
    wanted = np.stack([traits[:, 0], np.tanh(traits[:, 1]), 3.0 + traits[:, 2]], axis=1).astype(np.float32)
    speakers = [f"spk{number}" for number in range(40) for _ in range(2)]
    return voices, wanted, speakers


def explained(found, wanted):
    return 1.0 - np.square(found - wanted).sum() / np.square(wanted - wanted.mean(axis=0)).sum()


def test_it_finds_what_voices_let_expect(task):
    voices, wanted, _ = task
    teacher = fit_kernel_teacher(voices[:60], wanted[:60], SETTINGS)
    assert explained(teacher.opinion(voices[60:]), wanted[60:]) > 0.7


def test_far_from_all_voices_it_expects_the_mean(task):
    voices, wanted, _ = task
    teacher = fit_kernel_teacher(voices, wanted, SETTINGS)
    assert np.allclose(teacher.opinion(voices[:1] + 1e3), wanted.mean(axis=0), atol=1e-5)


def test_the_opinion_without_a_speaker_still_explains(task):
    voices, wanted, speakers = task
    opinion = opinion_without_speaker(voices, wanted, speakers, SETTINGS, seed=1)
    assert explained(opinion, wanted) > 0.7


def test_a_speakers_own_faces_do_not_enter_the_opinion_on_it(task):
    voices, wanted, speakers = task
    before = opinion_without_speaker(voices, wanted, speakers, SETTINGS, seed=1)
    changed = wanted.copy()
    changed[:2] += 5.0
    after = opinion_without_speaker(voices, changed, speakers, SETTINGS, seed=1)
    assert np.array_equal(before[:2], after[:2])
    assert not np.array_equal(before, after)
