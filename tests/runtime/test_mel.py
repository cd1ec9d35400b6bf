"""Mel bands: the filters against an independent implementation, the product against a matrix product."""

from __future__ import annotations

import numpy as np
import pytest

from voxtoon.errors import InputError
from voxtoon.mel import MelBands, hz_to_mel, mel_filters, mel_to_hz

BANK = {"bins": 64, "low_hz": 125.0, "high_hz": 7500.0, "sample_rate_hz": 16_000, "fft_samples": 512}


def test_the_filters_are_those_of_librosa_with_the_htk_scale_and_no_norm() -> None:
    filters = pytest.importorskip("librosa").filters
    expected = filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None, dtype=np.float64
    )
    np.testing.assert_allclose(mel_filters(**BANK), expected.T, atol=1e-12)


def test_a_thousand_hertz_is_a_thousand_mel_and_back() -> None:
    assert hz_to_mel(1000.0) == pytest.approx(1000.0, abs=0.02)
    frequencies_hz = np.linspace(0.0, 8000.0, 100)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(frequencies_hz)), frequencies_hz, atol=1e-9)


def test_a_filter_too_narrow_for_any_bin_is_refused() -> None:
    with pytest.raises(InputError, match=r"\d+ of 200 mel filters .* hold no spectral bin"):
        mel_filters(**{**BANK, "bins": 200})


def test_the_bands_are_the_product_with_the_filters() -> None:
    filters = mel_filters(**BANK)
    power = np.random.default_rng(0).exponential(size=(7, 257))
    out = np.empty((7, 64))
    MelBands(filters, rows=8)(power, out=out)
    np.testing.assert_allclose(out, power @ filters, rtol=1e-13)
