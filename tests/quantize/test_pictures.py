"""Pictures compared, with answers known beforehand."""

import numpy as np
import pytest

from voxtoon_quantize.pictures import psnr_db, ssim

PICTURE = np.random.default_rng(0).random((40, 30, 3))


def test_equal_pictures_are_as_alike_as_can_be():
    assert psnr_db(PICTURE, PICTURE) == 300.0
    assert ssim(PICTURE, PICTURE) == pytest.approx(1.0)


def test_an_error_of_a_tenth_everywhere_is_20_db():
    assert psnr_db(PICTURE, PICTURE + 0.1) == pytest.approx(20.0)


def test_the_similarity_of_two_flat_pictures_is_that_of_their_luminance():
    a, b = np.full((20, 20, 1), 0.4), np.full((20, 20, 1), 0.6)

    assert ssim(a, b) == pytest.approx((2 * 0.4 * 0.6 + 1e-4) / (0.4**2 + 0.6**2 + 1e-4))


def test_noise_of_its_own_has_no_structure_in_common():
    other = np.random.default_rng(1).random(PICTURE.shape)

    assert abs(ssim(PICTURE, other)) < 0.1
    assert ssim(PICTURE, other) == pytest.approx(ssim(other, PICTURE))


def test_more_noise_is_less_alike():
    noise = np.random.default_rng(2).normal(size=PICTURE.shape)
    found = [ssim(PICTURE, PICTURE + size * noise) for size in (0.01, 0.05, 0.2)]

    assert found == sorted(found, reverse=True)
