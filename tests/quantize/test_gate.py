"""The gate lets through what meets every line, and says which lines the rest misses."""

import pytest

from voxtoon_quantize.gate import INT8_GATE, judge

GOOD = {
    "angle_mean_deg": 3.0,
    "angle_p95_deg": 6.0,
    "drift_deg": 0.01,
    "r2_drop": 0.01,
    "psnr_db": 35.0,
    "ssim": 0.97,
    "integer_macs": 0.9,
    "smaller": 3.6,
    "faster": 1.2,
}


def missed(figures):
    return [verdict.limit.figure for verdict in judge(figures) if verdict.missed]


def test_what_just_meets_every_limit_passes():
    assert missed(GOOD) == []
    assert set(GOOD) == {limit.figure for limit in INT8_GATE}


@pytest.mark.parametrize("figure", sorted(GOOD))
def test_every_limit_counts_alone(figure):
    limit = next(limit for limit in INT8_GATE if limit.figure == figure)
    beyond = GOOD[figure] * (1.001 if limit.at_most is not None else 0.999)

    assert missed({**GOOD, figure: beyond}) == [figure]
    assert missed({**GOOD, figure: float("nan")}) == [figure]


@pytest.mark.parametrize("ratio", [0.9, 1.0, 1.15])
def test_what_noise_alone_may_make_of_equal_speed_is_not_faster(ratio):
    assert missed({**GOOD, "faster": ratio}) == ["faster"]


@pytest.mark.parametrize("figure", ["psnr_db", "ssim", "r2_drop"])
def test_a_model_that_draws_nothing_is_not_asked_for_its_faces(figure):
    without = {name: value for name, value in GOOD.items() if name != figure}
    (verdict,) = (verdict for verdict in judge(without) if verdict.limit.figure == figure)

    assert missed(without) == []
    assert verdict.cells[1] == "not measured"


@pytest.mark.parametrize("figure", ["angle_mean_deg", "integer_macs", "smaller", "faster"])
def test_what_must_be_known_and_is_not_is_missed(figure):
    assert missed({name: value for name, value in GOOD.items() if name != figure}) == [figure]


def test_of_small_weights_alone_no_integers_and_no_speed_are_asked():
    without = {name: value for name, value in GOOD.items() if name not in ("integer_macs", "faster")}

    assert not any(verdict.missed for verdict in judge(without, weights_alone=True))
    assert any(verdict.missed for verdict in judge({**without, "psnr_db": 20.0}, weights_alone=True))
    assert any(verdict.missed for verdict in judge(without))
