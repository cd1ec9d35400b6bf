import numpy as np
import pytest

from voxtoon_export.evaluation.craniofacial import MEASURES, correlations

RNG = np.random.default_rng(0)
FACES = RNG.uniform(0.0, 224.0, size=(30, 68, 2))


def face(**points):
    """A face with all points in one corner but those named ``p27=(x, y)``."""
    landmarks = np.zeros((68, 2))
    for name, place in points.items():
        landmarks[int(name[1:])] = place
    return landmarks


def test_the_list_is_the_papers():
    assert list(MEASURES) == [
        "upper lip height",
        "lateral upper lip heights",
        "jaw width",
        "nose height",
        "nose width",
        "labio-oral region",
        "mandibular index",
        "intercanthal index",
        "nasal index",
        "vermilion height index",
        "mouth-face width index",
        "nose area",
    ]


@pytest.mark.parametrize(
    ("name", "landmarks", "expected"),
    [
        ("nose width", face(p31=(100, 130), p35=(124, 130)), 24.0),
        ("nose area", face(p27=(112, 90), p31=(100, 130), p35=(124, 130)), 480.0),
        ("nasal index", face(p27=(112, 90), p33=(112, 138), p31=(100, 130), p35=(124, 130)), 0.5),
        ("upper lip height", face(p33=(112, 130), p62=(112, 149), p66=(112, 151)), 20.0),
        ("intercanthal index", face(p39=(97, 90), p42=(127, 90), p36=(67, 90), p45=(157, 90)), 1 / 3),
        (
            "vermilion height index",
            face(p51=(112, 144), p62=(112, 150), p66=(112, 150), p57=(112, 158)),
            0.75,
        ),
    ],
)
def test_a_measure_of_a_drawn_face_is_what_a_ruler_says(name, landmarks, expected):
    assert MEASURES[name](landmarks) == pytest.approx(expected)


@pytest.mark.parametrize("name", MEASURES)
def test_measures_do_not_change_when_the_face_moves_and_indices_not_when_it_grows(name):
    measure = MEASURES[name]
    assert measure(FACES + np.array([5.0, -3.0])) == pytest.approx(measure(FACES))
    grown = {"index": 1.0, "area": 4.0}.get(name.split()[-1], 2.0)
    assert measure(2.0 * FACES) == pytest.approx(grown * measure(FACES))


def test_a_set_of_faces_correlates_fully_with_itself_and_hardly_with_others():
    assert list(correlations(FACES, FACES).values()) == pytest.approx([1.0] * len(MEASURES))
    others = RNG.uniform(0.0, 224.0, size=FACES.shape)
    assert np.mean(np.abs(list(correlations(FACES, others).values()))) < 0.4
