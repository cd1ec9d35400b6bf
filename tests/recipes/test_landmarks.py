from pathlib import Path

import numpy as np
import pytest

from recipes.landmark_worker import MESH_VERTICES
from recipes.landmarks import ENVIRONMENT, find_landmarks

DATA = Path("../shared/data/published_reconstructions")
needs_landmarker = pytest.mark.skipif(
    not (DATA / "index.csv").is_file() or not (ENVIRONMENT / "bin" / "python").exists(),
    reason=f"needs {DATA} and {ENVIRONMENT}, which recipes.train makes",
)


def test_the_table_names_68_different_vertices_of_the_mesh():
    assert len(MESH_VERTICES) == len(set(MESH_VERTICES)) == 68
    assert all(0 <= vertex < 468 for vertex in MESH_VERTICES)


@needs_landmarker
def test_the_points_of_a_face_are_where_ibug_has_them():
    pictures = sorted((DATA / "face_s2f").glob("*.jpg"))[:3]
    for points in find_landmarks(pictures):
        x, y = points.T
        assert np.isfinite(points).all()
        assert np.all(np.diff(x[:17]) > -3)  # the jaw runs from the viewer's left to the right
        assert y[8] == y[:17].max()  # and the chin is its lowest point
        assert x[36] < x[39] < x[42] < x[45]  # corners of the eyes
        assert y[19] < y[37] < y[33] < y[51] < y[57] < y[8]  # brow, eye, nose, lips, chin
        assert x[48] < x[54]
        assert np.all(np.diff(y[27:31]) > 0)  # down the bridge of the nose
        assert x[31] < x[33] < x[35]
