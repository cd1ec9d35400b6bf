"""Sample rates: any chunking gives the bits of the one-shot conversion, and of soxr's own."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.errors import InputError
from voxtoon.resample import Resampler, resample

RATES_HZ = [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 192_000]


def noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def tone(frequency_hz: float, *, rate_hz: int) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(rate_hz)).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    """Root mean square of the middle half, relative to that of a sine at full scale."""
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)
    return float(10 * np.log10(2 * np.mean(middle**2)))


@settings(max_examples=80, deadline=None)
@given(data=st.data(), rate_hz=st.sampled_from(RATES_HZ), length=st.integers(0, 20_000))
def test_any_chunking_gives_the_bits_of_the_one_shot(data: st.DataObject, rate_hz: int, length: int) -> None:
    samples = noise(length)
    stream, pieces, at = Resampler(from_hz=rate_hz), [], 0
    for size in data.draw(st.lists(st.one_of(st.sampled_from([0, 1]), st.integers(0, 6_000)), max_size=20)):
        pieces.append(stream.push(samples[at : at + size]))
        at += size
    pieces += [stream.push(samples[at:]), stream.flush()]
    whole = resample(samples, from_hz=rate_hz)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    np.testing.assert_array_equal(whole, soxr.resample(samples, rate_hz, 16_000, quality="HQ"))


@pytest.mark.parametrize("rate_hz", [*RATES_HZ, 12_345, 44_099, 384_000])
def test_the_length_is_that_of_the_signal_to_half_a_sample(rate_hz: int) -> None:
    for length in (0, 1, 2, 777, rate_hz // 3):
        output = resample(noise(length), from_hz=rate_hz)
        assert output.dtype == np.float32
        assert abs(len(output) - length * 16_000 / rate_hz) <= 0.5


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_delay_is_what_flush_returns(rate_hz: int) -> None:
    stream = Resampler(from_hz=rate_hz)
    assert stream.delay_samples == 0
    pushed = len(stream.push(noise(rate_hz)))
    delay = stream.delay_samples
    assert delay == len(stream.flush())
    assert pushed + delay == 16_000
    assert delay < 3_000


def test_flush_and_reset_make_way_for_a_new_signal() -> None:
    samples, stream = noise(5_000), Resampler(from_hz=44_100)
    stream.push(noise(3_000))
    stream.flush()
    np.testing.assert_array_equal(
        np.concatenate([stream.push(samples), stream.flush()]), resample(samples, from_hz=44_100)
    )
    stream.push(noise(3_000))
    stream.reset()
    np.testing.assert_array_equal(
        np.concatenate([stream.push(samples), stream.flush()]), resample(samples, from_hz=44_100)
    )


def test_the_same_rate_passes_the_same_memory_through() -> None:
    samples = noise(100)
    assert np.shares_memory(Resampler(from_hz=16_000).push(samples), samples)
    assert np.shares_memory(resample(samples, from_hz=16_000), samples)


@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_tones_that_both_rates_hold_keep_their_level(rate_hz: int) -> None:
    assert level_db(resample(tone(3_000, rate_hz=rate_hz), from_hz=rate_hz)) == pytest.approx(0.0, abs=0.01)


def test_a_tone_above_the_new_band_leaves_no_alias() -> None:
    assert level_db(resample(tone(9_000, rate_hz=48_000), from_hz=48_000)) < -110


def test_telephone_sound_gets_no_image() -> None:
    output = resample(tone(3_000, rate_hz=8_000), from_hz=8_000)[4_000:-4_000]
    spectrum = np.abs(np.fft.rfft(output * np.hanning(len(output)))) ** 2
    assert 10 * np.log10(spectrum[len(spectrum) // 2 :].max() / spectrum.max()) < -110


@pytest.mark.parametrize("rate_hz", [0, -8_000, 3_999, 384_001, 44_100.5, float("nan"), True, "16000"])
def test_a_rate_that_is_none_is_refused(rate_hz: object) -> None:
    with pytest.raises(InputError, match=r"sample rate: got .* from 4000 to 384000 Hz"):
        Resampler(from_hz=rate_hz)  # type: ignore[arg-type]


def test_what_is_no_signal_is_refused_and_leaves_no_trace() -> None:
    samples, stream = noise(5_000), Resampler(from_hz=48_000)
    first = stream.push(samples[:2_000])
    with pytest.raises(InputError, match="NaN or infinity in 1 of 3 samples: got the first at sample 1"):
        stream.push(np.array([0.0, np.nan, 0.0], np.float32))
    np.testing.assert_array_equal(
        np.concatenate([first, stream.push(samples[2_000:]), stream.flush()]),
        resample(samples, from_hz=48_000),
    )
