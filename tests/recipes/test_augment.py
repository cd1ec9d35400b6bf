import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.augment import (
    Channel,
    add_noise,
    augment,
    equalise,
    g711,
    reverberate,
    set_level,
    telephone,
)

RATE_HZ = 16_000
EVERYTHING = Channel(equaliser=1.0, room=1.0, noise=1.0, telephone=1.0)


def tone(frequency_hz, *, seconds=1.0, level=0.1):
    return level * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def level_db(sound):
    return 10 * np.log10(np.mean(np.square(sound)) + 1e-20)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(400, 40_000), seed=st.integers(0, 2**32 - 1))
def test_a_voice_keeps_its_length_and_range(length, seed):
    voice = np.random.default_rng(1).normal(0, 0.1, length).astype(np.float32)
    sent = augment(voice, np.random.default_rng(seed), EVERYTHING)
    assert sent.shape == voice.shape
    assert sent.dtype == np.float32
    assert np.isfinite(sent).all()
    assert np.abs(sent).max() <= 1.0


def test_the_seed_decides_everything():
    voice = tone(200.0).astype(np.float32)
    first, again, other = (augment(voice, np.random.default_rng(s), EVERYTHING) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_channel_that_does_nothing_only_sets_the_level():
    voice = tone(200.0).astype(np.float32)
    nothing = Channel(equaliser=0.0, room=0.0, noise=0.0, telephone=0.0)
    sent = augment(voice, np.random.default_rng(0), nothing)
    assert np.corrcoef(voice, sent)[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert -30.0 <= level_db(sent) <= -14.0


def test_g711_is_eight_bits_and_its_own_fixed_point():
    sound = np.linspace(-1.0, 1.0, 10_001)
    decoded = g711(sound)
    assert len(np.unique(decoded)) == 255  # plus and minus zero are one
    assert np.allclose(g711(decoded), decoded, atol=1e-12)
    assert np.allclose(decoded, -decoded[::-1])


def test_g711_errs_in_proportion_to_the_sample():
    """The law's purpose: about 38 dB of signal to noise at any level of speech."""
    for level in (0.05, 0.2, 0.8):
        sound = tone(440.0, level=level)
        assert level_db(sound) - level_db(g711(sound) - sound) > 35.0


def test_g711_clips_what_is_beyond_full_scale():
    assert g711(np.array([3.0, -3.0])) == pytest.approx([1.0, -1.0])


@pytest.mark.parametrize("frequency_hz", [500.0, 1000.0, 3000.0])
def test_a_telephone_passes_its_band(frequency_hz):
    sound = tone(frequency_hz)
    assert level_db(telephone(sound)) == pytest.approx(level_db(sound), abs=0.5)


@pytest.mark.parametrize("frequency_hz", [60.0, 4500.0, 7000.0])
def test_a_telephone_stops_what_is_outside(frequency_hz):
    sound = tone(frequency_hz)
    assert level_db(telephone(sound)) < level_db(sound) - 20.0


@pytest.mark.parametrize("samples", [16_000, 16_001])
def test_a_telephone_delays_nothing(samples):
    sound = tone(800.0, seconds=2.0)[:samples]
    assert np.corrcoef(telephone(sound), sound)[0, 1] > 0.999


def test_noise_has_the_asked_ratio():
    sound = tone(300.0)
    noisy = add_noise(sound, np.random.default_rng(0), snr_db=12.0)
    assert level_db(sound) - level_db(noisy - sound) == pytest.approx(12.0, abs=0.1)


def test_a_level_is_set():
    assert level_db(set_level(tone(300.0), rms_db=-20.0)) == pytest.approx(-20.0, abs=1e-6)


def test_an_equaliser_raises_what_it_is_told_to():
    gains_db = np.array([0.0, 0.0, 0.0, 0.0, 6.0, 6.0, 6.0, 6.0, 6.0])
    assert level_db(equalise(tone(6000.0), gains_db)) == pytest.approx(level_db(tone(6000.0)) + 6.0, abs=0.1)
    assert level_db(equalise(tone(200.0), gains_db)) == pytest.approx(level_db(tone(200.0)), abs=0.1)


def test_a_room_echoes_after_the_sound():
    click = np.zeros(RATE_HZ)
    click[1000] = 1.0
    echo = reverberate(click, np.random.default_rng(0), decay_s=0.3)
    assert echo[1000] == pytest.approx(1.0)
    assert np.allclose(echo[:1000], 0.0, atol=1e-12)
    assert np.square(echo[1001:2000]).sum() > np.square(echo[3000:4000]).sum() > 0.0
