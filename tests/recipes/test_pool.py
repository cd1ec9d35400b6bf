import numpy as np
import pytest
import torch

from recipes.augment import Channel
from recipes.pool import make_pool, mask
from voxtoon.front_end import LOG_MEL, FrontEnd, tile_clip


@pytest.fixture(scope="module")
def voices():
    rng = np.random.default_rng(5)
    return [rng.normal(0, 0.1, length).astype(np.float32) for length in (20_000, 96_000, 120_000)]


@pytest.fixture(scope="module")
def pool(voices):
    return make_pool(voices, LOG_MEL, versions=3, channel=Channel(), seed=1)


def test_version_0_is_what_the_runtime_hears(pool, voices):
    for number, voice in enumerate(voices):
        heard = FrontEnd(LOG_MEL).frames(tile_clip(voice, clip_samples=96_000))
        assert np.array_equal(pool.frames[number, 0].numpy(), heard.astype(np.float16))


def test_the_other_versions_differ(pool):
    assert not torch.equal(pool.frames[:, 1], pool.frames[:, 0])
    assert not torch.equal(pool.frames[:, 1], pool.frames[:, 2])


def test_a_voices_versions_depend_on_the_seed_and_its_number_only(pool, voices):
    again = make_pool(voices[:2], LOG_MEL, versions=3, channel=Channel(), seed=1)
    assert torch.equal(again.frames, pool.frames[:2])
    assert not torch.equal(
        make_pool(voices[:1], LOG_MEL, versions=2, channel=Channel(), seed=2).frames[:, 1],
        pool.frames[:1, 1],
    )


def test_crops_are_stretches_of_the_asked_voices(pool):
    crops = pool.crop(np.array([2, 0]), frames=300, rng=np.random.default_rng(0), clean=1.0)
    assert crops.shape == (2, 300, 64, 1)
    for crop, voice in zip(crops, (2, 0), strict=True):
        clean = pool.frames[voice, 0].float()
        assert any(torch.equal(crop, clean[start : start + 300]) for start in range(299))


def test_a_crop_may_be_the_whole_clip(pool):
    whole = pool.crop(np.array([1]), frames=598, rng=np.random.default_rng(0), clean=1.0)
    assert torch.equal(whole[0], pool.frames[1, 0].float())


def test_masking_blanks_to_the_mean_and_touches_nothing_else():
    frames = torch.randn(8, 100, 64, 1)
    masked = mask(frames, np.random.default_rng(0))
    changed = masked != frames
    means = frames.mean(dim=(1, 2), keepdim=True).expand_as(frames)
    assert torch.equal(masked[changed], means[changed])
    assert 0.0 < changed.float().mean() < 0.5


def test_a_mask_of_no_width_changes_nothing():
    frames = torch.randn(2, 50, 64, 1)
    assert torch.equal(mask(frames, np.random.default_rng(0), time=0.0, frequency=0.0), frames)
