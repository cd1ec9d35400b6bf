import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon_export.evaluation.retrieval import METRICS, chance, ranks_at, recall

GALLERY = np.random.default_rng(0).standard_normal((40, 6))


@pytest.mark.parametrize("metric", METRICS)
def test_the_gallery_finds_itself_at_rank_1(metric):
    assert recall(METRICS[metric](GALLERY, GALLERY), 1) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_of_query_rows_to_gallery_columns(metric):
    table = METRICS[metric](GALLERY[:3], GALLERY)
    assert table.shape == (3, 40)
    assert table[1, 1] == pytest.approx(0.0, abs=1e-12)
    assert table[1, 2] > 0.01


def test_the_metrics_are_what_their_names_say():
    queries, gallery = np.array([[3.0, 0.0]]), np.array([[0.0, 4.0], [6.0, 0.0]])
    assert METRICS["cosine"](queries, gallery).tolist() == [[1.0, 0.0]]
    assert METRICS["L1"](queries, gallery).tolist() == [[7.0, 3.0]]
    assert METRICS["L2"](queries, gallery).tolist() == [[5.0, 3.0]]


def test_recall_counts_the_queries_whose_own_entry_is_near_enough():
    ranked = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])  # own entries at ranks 1, 2 and 3
    assert [recall(ranked, rank) for rank in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rank", [1, 7])
def test_one_and_the_same_query_for_all_is_no_better_than_chance(metric, rank):
    mean = np.broadcast_to(GALLERY.mean(axis=0), GALLERY.shape)
    assert recall(METRICS[metric](mean, GALLERY), rank) == pytest.approx(chance(rank, len(GALLERY)))


def test_a_query_that_is_as_far_from_everything_is_chance():
    assert recall(np.ones((40, 40)), 5) == pytest.approx(chance(5, 40))


@given(st.integers(1, 5000))
def test_chance_of_a_percentage_is_at_least_that_percentage(gallery_size):
    for name, rank in ranks_at(gallery_size).items():
        if name.endswith("%"):
            assert chance(rank, gallery_size) >= float(name[2:-1]) / 100.0


def test_the_columns_are_the_papers_and_their_share_of_the_gallery():
    assert ranks_at(150) == {
        "R@1": 1,
        "R@2": 2,
        "R@5": 5,
        "R@10": 10,
        "R@1%": 2,
        "R@2%": 3,
        "R@5%": 8,
        "R@10%": 15,
    }
