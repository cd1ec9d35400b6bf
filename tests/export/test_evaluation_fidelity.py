import numpy as np
import pytest

from voxtoon_export.evaluation.fidelity import component_correlations, fit_components

RNG = np.random.default_rng(0)
DIRECTIONS = np.linalg.qr(RNG.standard_normal((48, 3)))[0].T
STRENGTHS = RNG.standard_normal((200, 3)) * [5.0, 2.0, 1.0]
FACES = (0.5 + STRENGTHS @ DIRECTIONS).reshape(200, 4, 4, 3)


def test_components_are_the_directions_the_faces_were_made_of_strongest_first():
    components = fit_components(FACES, count=3)
    agreement = np.abs(np.sum(components.axes * DIRECTIONS, axis=1))
    assert agreement == pytest.approx(1.0, abs=0.05)
    assert np.all(np.diff(components.shares) < 0)
    assert components.shares.sum() == pytest.approx(1.0)


def test_components_are_orthonormal_and_the_mean_face_is_their_origin():
    components = fit_components(FACES, count=3)
    assert components.axes @ components.axes.T == pytest.approx(np.eye(3), abs=1e-9)
    assert components.project(FACES.mean(axis=0)[None]) == pytest.approx(0.0, abs=1e-9)


def test_the_true_faces_correlate_fully_with_themselves_however_much_they_are_flattened():
    components = fit_components(FACES, count=3)
    flattened = FACES.mean(axis=0) + 0.3 * (FACES - FACES.mean(axis=0))
    assert component_correlations(components, flattened, FACES) == pytest.approx(1.0)


def test_a_prediction_that_knows_one_direction_correlates_in_that_one_only():
    components = fit_components(FACES, count=3)
    first_only = (components.mean + components.project(FACES)[:, :1] * components.axes[:1]).reshape(
        FACES.shape
    )
    first, *rest = component_correlations(components, first_only, FACES)
    assert first == pytest.approx(1.0)
    assert np.abs(rest).max() < 0.01
