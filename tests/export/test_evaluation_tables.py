import json
from dataclasses import replace

import numpy as np
import pytest

from voxtoon_export.evaluation.fidelity import fit_components
from voxtoon_export.evaluation.measure import FaceSide, Measured
from voxtoon_export.evaluation.report import Report, format_table
from voxtoon_export.evaluation.tables import Table, all_tables

RNG = np.random.default_rng(0)
CLIPS = 40
FACES = RNG.uniform(size=(CLIPS, 56, 56, 3)).astype(np.float32)
FEATURES = RNG.standard_normal((CLIPS, 16)).astype(np.float32) + 3.0
LANDMARKS = RNG.uniform(0, 224, size=(CLIPS, 68, 2)).astype(np.float32)
TRAINING = fit_components(RNG.uniform(size=(60, 56, 56, 3)), count=5)

PERFECT = Measured(
    speakers=tuple(f"spk{clip // 2}" for clip in range(CLIPS)),
    published=FACES,
    drawn=FACES,
    features={3.0: FEATURES, 6.0: FEATURES},
    landmarks=LANDMARKS,
    mean_feature=FEATURES.mean(axis=0),
    avatars=np.repeat(RNG.uniform(-1, 1, size=(CLIPS // 2, 20)), 2, axis=0).astype(np.float32),
    faces=FaceSide(FEATURES, FEATURES, LANDMARKS, LANDMARKS),
)


def tables_of(measured):
    return {table.key: table for table in all_tables(measured, TRAINING)}


@pytest.fixture(scope="module")
def perfect():
    return tables_of(PERFECT)


def test_a_perfect_bundle_reaches_the_end_of_every_scale(perfect):
    assert perfect["fidelity"].rows["voice"] == (1.0,)
    assert perfect["components"].rows["voice"] == pytest.approx([1.0] * 5)
    assert perfect["feature_angle"].rows["voice, 6 s"] == pytest.approx([0.0] * 4, abs=0.1)
    for metric in ("cosine", "L1", "L2"):
        assert perfect["retrieval"].rows[f"voice, 6 s, {metric}"] == (100.0,) * 8
    assert perfect["craniofacial"].rows["jaw width"] == pytest.approx((1.0, 1.0))
    assert perfect["avatar_consistency"].rows["avatar parameters"][2] == 0.0


def test_the_mean_face_is_the_zero_of_fidelity_and_chance_in_retrieval(perfect):
    assert perfect["fidelity"].rows["mean face"] == (0.0,)
    rows = perfect["retrieval"].rows
    for metric in ("cosine", "L1", "L2"):
        assert rows[f"mean face, {metric}"] == pytest.approx(rows["chance"])
    plain, _, centred, _ = perfect["feature_angle"].rows["mean face"]
    assert 0.0 < plain < 90.0
    assert centred is None


def test_shuffled_voices_are_worse_than_the_mean_face_and_near_chance(perfect):
    assert perfect["fidelity"].rows["shuffled voices"][0] < 0.0
    assert max(perfect["components"].rows["shuffled voices, mean |r|"]) < 0.4
    chance = perfect["retrieval"].rows["chance"][3]
    assert perfect["retrieval"].rows["shuffled voices, cosine"][3] == pytest.approx(chance, rel=0.35)
    assert perfect["feature_angle"].rows["shuffled voices"][2] > 60.0
    assert max(perfect["craniofacial"].rows["random, mean |r|"]) < 0.3


def test_a_constant_bundle_is_worth_nothing():
    mean = TRAINING.mean.reshape(1, 56, 56, 3).astype(np.float32)
    constant = replace(
        PERFECT,
        drawn=np.repeat(mean, CLIPS, axis=0),
        landmarks=np.repeat(LANDMARKS[:1], CLIPS, axis=0),
        avatars=np.zeros((CLIPS, 20), np.float32),
    )
    tables = tables_of(constant)
    assert tables["fidelity"].rows["voice"] == pytest.approx((0.0,), abs=1e-6)
    assert tables["components"].rows["voice"] == pytest.approx([0.0] * 5)
    assert set(tables["craniofacial"].rows["nose width"]) == {0.0}
    assert tables["avatar_consistency"].rows["avatar parameters"] == (0.0, 0.0, None)


def test_the_gallery_size_and_the_number_of_pairs_are_told(perfect):
    assert "gallery of 40" in perfect["retrieval"].title
    assert "20 same-speaker pairs" in perfect["avatar_consistency"].title


def test_without_a_face_encoder_or_avatar_statistics_the_rest_is_still_measured():
    tables = tables_of(replace(PERFECT, faces=None, avatars=None))
    assert list(tables) == ["fidelity", "components", "avatar_consistency"]
    assert list(tables["avatar_consistency"].rows) == ["drawn face", "published face"]


def test_a_report_is_json_by_table_row_and_column(perfect):
    report = Report("speech2face", "small", 40, 20, 60, True, tuple(perfect.values()))
    figures = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert figures["clips"] == 40
    assert figures["fidelity"]["voice"] == {"R2": 1.0}
    assert figures["retrieval"]["chance"]["R@10"] == 25.0
    assert figures["feature_angle"]["mean face"]["about the mean"] is None


def test_a_report_as_text_has_every_table_and_says_what_is_left_out(perfect):
    report = Report("speech2face", "small", 40, 20, 60, True, tuple(perfect.values()))
    assert all(table.title in report.to_text() for table in perfect.values())
    assert "No face_encoder" not in report.to_text()
    assert "No face_encoder" in replace(report, has_face_encoder=False).to_text()


def test_columns_stand_under_each_other_and_nothing_is_a_dash():
    table = Table("k", "A title", ("r", "longer"), {"one": (1.0, None), "another": (-12.345, 2.0)}, 2)
    assert format_table(table).splitlines() == [
        "A title",
        "                r  longer",
        "  one        1.00       -",
        "  another  -12.35    2.00",
    ]
