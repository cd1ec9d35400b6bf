"""The warp puts landmarks where they are asked to be, and nothing else anywhere unasked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from voxtoon.errors import InputError
from voxtoon.warp import flow, warp

SIZE_PX = 224
ANGLE = np.linspace(0, np.pi, 17)
JAW = np.column_stack([112 - 60 * np.cos(ANGLE), 112 + 75 * np.sin(ANGLE)])
INSIDE = np.stack(np.meshgrid(np.linspace(75, 150, 17), [85, 115, 150]), axis=-1).reshape(-1, 2)
MEAN = np.concatenate([JAW, INSIDE])
A_FACE = MEAN + 3 * np.sin(np.column_stack([MEAN[:, 1], MEAN[:, 0]]) / 20)
TEXTURE = np.random.default_rng(1).random((SIZE_PX, SIZE_PX, 3), dtype=np.float32)


def flow_in_float64(landmarks, mean, *, sign, regularisation=0.1):
    """The definition, written out: one row per pixel, no blocks, no float32."""
    edge = (0.0, (SIZE_PX - 1) / 2, SIZE_PX - 1.0)
    boundary = np.array([(x, y) for y in edge for x in edge if not x == y == edge[1]])
    centres = np.concatenate([landmarks, boundary])
    wanted = np.concatenate([landmarks - mean, np.zeros((8, 2))])
    kernel = sign * np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    linear = np.column_stack([centres, np.ones(len(centres))])
    system = np.block(
        [[kernel + regularisation * np.eye(len(centres)), linear], [linear.T, np.zeros((3, 3))]]
    )
    solution = np.linalg.solve(system, np.concatenate([wanted, np.zeros((3, 2))]))
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    points = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    distance = sign * np.linalg.norm(points[:, None] - centres[None], axis=-1)
    rows = np.column_stack([distance, points, np.ones(len(points))])
    return (rows @ solution).reshape(SIZE_PX, SIZE_PX, 2)


def shapes(limit_px):
    moves = arrays(np.float64, (68, 2), elements=st.floats(-limit_px, limit_px, width=32))
    return moves.map(lambda move: MEAN + move)


def test_the_mean_shape_changes_nothing():
    np.testing.assert_allclose(warp(TEXTURE, MEAN, MEAN), TEXTURE, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(shapes(limit_px=8))
def test_flow_is_the_spline_of_the_definition(landmarks):
    got = flow(landmarks, MEAN, height_px=SIZE_PX, width_px=SIZE_PX)
    np.testing.assert_allclose(got, flow_in_float64(landmarks, MEAN, sign=-1), atol=5e-3)


def test_the_other_sign_of_the_kernel_differs_by_less_than_a_fifth_of_a_pixel_on_a_face():
    landmarks = A_FACE
    got = flow(landmarks, MEAN, height_px=SIZE_PX, width_px=SIZE_PX)
    np.testing.assert_allclose(got, flow_in_float64(landmarks, MEAN, sign=+1), atol=0.2)


def test_every_landmark_of_the_texture_lands_where_it_is_asked():
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    coordinates = np.stack([x, y], axis=-1).astype(np.float32)
    landmarks = np.round(A_FACE)
    column, row = landmarks.astype(int).T
    found = warp(coordinates, landmarks, MEAN)[row, column]
    np.testing.assert_allclose(found, MEAN, atol=0.1)


def test_moving_all_landmarks_moves_the_inside_of_the_face():
    landmarks = MEAN + np.array([5.0, -3.0])
    moved = flow(landmarks, MEAN, height_px=SIZE_PX, width_px=SIZE_PX)
    np.testing.assert_allclose(moved[80:140, 90:130], np.broadcast_to([5.0, -3.0], (60, 40, 2)), atol=0.5)


def test_exchanging_the_shapes_registers_the_face_again():
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX
    smooth = np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * (x + y))], axis=-1).astype(np.float32)
    landmarks = A_FACE
    again = warp(warp(smooth, landmarks, MEAN), MEAN, landmarks)
    assert np.abs(again - smooth)[20:-20, 20:-20].mean() < 0.01


def test_the_corners_do_not_move():
    moved = flow(MEAN + 10, MEAN, height_px=SIZE_PX, width_px=SIZE_PX)
    np.testing.assert_allclose(moved[[0, 0, -1, -1], [0, -1, 0, -1]], 0, atol=0.1)


@settings(max_examples=10, deadline=None)
@given(shapes(limit_px=500))
def test_any_landmarks_give_colours_of_the_texture(landmarks):
    image = warp(TEXTURE, landmarks, MEAN)
    assert image.shape == TEXTURE.shape
    assert image.dtype == np.float32
    assert TEXTURE.min() - 1e-5 <= image.min()
    assert image.max() <= TEXTURE.max() + 1e-5


@pytest.mark.parametrize("apart_px", [0.0, 0.05, 0.1, 0.2])
def test_a_closed_mouth_stays_calm(apart_px):
    landmarks = MEAN.copy()
    landmarks[1] = landmarks[0] + [apart_px, 0]
    moved = flow(landmarks, MEAN, height_px=SIZE_PX, width_px=SIZE_PX)
    assert np.abs(moved).max() <= np.abs(landmarks - MEAN).max() + 0.5


def test_all_landmarks_in_one_point_are_finite():
    image = warp(TEXTURE, np.full((68, 2), 112.0), MEAN)
    assert np.isfinite(image).all()


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (MEAN[:67], "do not fit"),
        (MEAN.ravel(), "do not fit"),
        (np.where(MEAN > 150, np.nan, MEAN), "not finite"),
    ],
)
def test_wrong_landmarks_are_refused(landmarks, message):
    with pytest.raises(InputError, match=message):
        warp(TEXTURE, landmarks, MEAN)


def test_regularisation_is_above_zero():
    with pytest.raises(InputError, match="regularisation: got 0, expected above 0"):
        warp(TEXTURE, MEAN, MEAN, regularisation=0)


def test_a_flat_image_is_refused():
    with pytest.raises(InputError, match="three axes"):
        warp(TEXTURE[..., 0], MEAN, MEAN)


def test_other_sizes_and_one_pixel():
    assert warp(np.ones((1, 1, 3)), MEAN, MEAN).shape == (1, 1, 3)
    assert warp(np.ones((40, 60, 2)), MEAN / 4, MEAN / 4).shape == (40, 60, 2)
