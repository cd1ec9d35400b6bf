"""``sgn(x) |x|**0.3`` by table: every cell, every special value."""

from __future__ import annotations

import numpy as np
import pytest

from voxtoon.power_law import PowerLaw, power_table

EXPONENT = 0.3
SMALLEST_NORMAL = np.finfo(np.float32).smallest_normal


def power_law(values: np.ndarray, exponent: float = EXPONENT) -> np.ndarray:
    x = np.ascontiguousarray(values, np.float32).reshape(1, -1)
    out = np.empty_like(x)
    PowerLaw(exponent, rows=1, columns=x.size)(x, out=out)
    return out[0]


def formula(values: np.ndarray, exponent: float = EXPONENT) -> np.ndarray:
    x = np.asarray(values, np.float64)
    return np.sign(x) * np.abs(x) ** exponent


def every_cell(low_halves: np.ndarray) -> np.ndarray:
    """float32 values of every cell, at these places (0 to 65535) inside it; shape [65536, places]."""
    cells = np.arange(1 << 16, dtype=np.uint32)[:, np.newaxis] << np.uint32(16)
    return (cells | low_halves.astype(np.uint32)).view(np.float32)


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_every_cell_of_normal_numbers_is_within_a_millionth(exponent: float) -> None:
    places = np.append(np.arange(0, 1 << 16, 4096), (1 << 16) - 1)
    with np.errstate(invalid="ignore"):  # the cells of NaN
        x = every_cell(places)
        normal = np.isfinite(x).all(axis=1) & (np.abs(x) >= SMALLEST_NORMAL).all(axis=1)
    x = x[normal].ravel()
    assert normal.sum() == 2 * 254 * 128
    expected = formula(x, exponent)
    relative = np.abs(power_law(x, exponent) - expected) / np.abs(expected)
    assert relative.max() <= {0.3: 1e-6, 0.5: 1.2e-6, 1.0: 1e-7}[exponent]


def test_up_to_the_bin_of_a_full_scale_constant_the_error_is_four_millionths() -> None:
    x = np.linspace(-200.0, 200.0, 1_000_001)
    assert np.abs(power_law(x) - formula(x.astype(np.float32))).max() <= 4e-6


def test_it_is_odd_to_the_last_bit() -> None:
    x = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    np.testing.assert_array_equal(power_law(-x), -power_law(x))


def test_zero_stays_zero() -> None:
    np.testing.assert_array_equal(power_law(np.array([0.0, -0.0])), [0.0, 0.0])


def test_subnormal_numbers_become_zero() -> None:
    tiny = np.nextafter(SMALLEST_NORMAL, np.float32(0))
    subnormal = np.array([tiny, -tiny, np.finfo(np.float32).smallest_subnormal])
    np.testing.assert_array_equal(power_law(subnormal), 0.0)
    assert formula(subnormal).max() < 5e-12


def test_infinities_and_nan_pass_through() -> None:
    np.testing.assert_array_equal(power_law(np.array([np.inf, -np.inf, np.nan])), [np.inf, -np.inf, np.nan])


def test_the_table_has_a_line_for_each_of_the_65536_cells_and_cannot_be_written_to() -> None:
    for column in power_table(EXPONENT):
        assert column.shape == (65_536,)
        assert np.isfinite(column).all()
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1.0
