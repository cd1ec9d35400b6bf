"""The front end: the paper's numbers, the same bits for any chunking, and what must not pass for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.errors import InputError
from voxtoon.front_end import COMPLEX_POWER, LOG_MEL, FrontEnd, FrontEndSpec, tile_clip

SPECS = [COMPLEX_POWER, LOG_MEL]
RATE_HZ = 16_000


def voice(samples: int, *, seed: int = 0) -> np.ndarray:
    """A gliding, breathy, swelling tone: something in every bin, peaks near 0.5."""
    time_s = np.arange(samples) / RATE_HZ
    phase = 2 * np.pi * (120 * time_s + 30 * np.sin(2 * np.pi * 0.7 * time_s))
    tone = sum(np.sin(k * phase) / k for k in range(1, 30))
    noise = np.random.default_rng(seed).standard_normal(samples)
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 1.3 * time_s)
    return (swell * (0.2 * tone + 0.02 * noise)).astype(np.float32)


def spectrum(samples: np.ndarray, *, symmetric: bool = False) -> np.ndarray:
    """The transform in float64, frame by frame and term by term as the paper defines it."""
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / (399 if symmetric else 400))
    starts = range(0, len(samples) - 399, 160)
    frames = np.stack([samples[t : t + 400].astype(np.float64) * window for t in starts])
    return frames @ np.exp(-2j * np.pi * np.outer(n, np.arange(257)) / 512)


def parts_of(transform: np.ndarray) -> np.ndarray:
    return np.stack([transform.real, transform.imag], axis=-1)


def compressed(transform: np.ndarray) -> np.ndarray:
    parts = parts_of(transform)
    return np.sign(parts) * np.abs(parts) ** 0.3


def largest_error(frames: np.ndarray, transform: np.ndarray) -> float:
    """Against the formula where that is well conditioned: it turns rounding of 1e-13 at zero into 1e-4."""
    conditioned = np.abs(parts_of(transform)) > 1e-9
    assert np.abs(frames[~conditioned]).max() < 2.1e-3
    return float(np.abs(frames - compressed(transform))[conditioned].max())


def relative_distance(frames: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(frames - other) / np.linalg.norm(frames))


def test_six_seconds_give_598_frames_of_257_complex_bins() -> None:
    frames = FrontEnd(COMPLEX_POWER).frames(voice(96_000))
    assert frames.shape == (598, 257, 2)
    assert frames.dtype == np.float32


def test_complex_power_agrees_with_the_formula_in_float64() -> None:
    samples = voice(32_000)
    assert largest_error(FrontEnd(COMPLEX_POWER).frames(samples), spectrum(samples)) <= 4e-6


def test_a_sine_at_full_scale_is_within_the_same_tolerance() -> None:
    samples = np.sin(2 * np.pi * 1000.3 / RATE_HZ * np.arange(16_000)).astype(np.float32)
    frames = FrontEnd(COMPLEX_POWER).frames(samples)
    assert frames.max() > 3.9
    assert largest_error(frames, spectrum(samples)) <= 4e-6


def test_an_impulse_has_the_phase_of_its_place_and_the_height_of_the_window() -> None:
    samples = np.zeros(400, np.float32)
    samples[100] = 1.0  # where the periodic window is exactly one half
    (frame,) = FrontEnd(COMPLEX_POWER).frames(samples)
    # The angle of bin k is -2 pi 100 k / 512: 0, -70.3125 degrees, and +70.3125 after 50 turns.
    re, im = 0.336890**0.3, 0.941544**0.3
    expected = 0.5**0.3 * np.array([[1.0, 0.0], [re, -im], [re, im]])
    np.testing.assert_allclose(frame[[0, 1, 255]], expected, atol=1e-5)


def test_the_imaginary_parts_of_the_first_and_last_bin_are_exactly_zero() -> None:
    frames = FrontEnd(COMPLEX_POWER).frames(voice(8_000))
    np.testing.assert_array_equal(frames[:, [0, 256], 1], 0.0)


def test_log_mel_agrees_with_the_formula_in_float64() -> None:
    filters = pytest.importorskip("librosa").filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=125, fmax=7500, htk=True, norm=None, dtype=np.float64
    )
    samples = voice(32_000)
    mel = np.abs(spectrum(samples)) ** 2 @ filters.T
    expected = (np.log(np.maximum(mel, 1e-6)) + 4.0) * 0.25
    assert np.abs(FrontEnd(LOG_MEL).frames(samples)[:, :, 0] - expected).max() <= 1e-6


def test_silence_is_zero_in_complex_power_and_the_floor_in_log_mel() -> None:
    silence = np.zeros(1600, np.float32)
    np.testing.assert_array_equal(FrontEnd(COMPLEX_POWER).frames(silence), 0.0)
    np.testing.assert_allclose(FrontEnd(LOG_MEL).frames(silence), (np.log(1e-6) + 4.0) / 4.0, rtol=1e-6)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), spec=st.sampled_from(SPECS), length=st.integers(0, 25_000))
def test_any_chunking_gives_the_same_bits(data: st.DataObject, spec: FrontEndSpec, length: int) -> None:
    samples = voice(length, seed=length)
    whole = FrontEnd(spec).frames(samples)
    sizes = st.one_of(
        st.sampled_from([0, 1, 159, 160, 161, 399, 400, 401, 10_480, 10_481]), st.integers(0, 12_000)
    )
    stream, pieces, at = FrontEnd(spec), [], 0
    for size in data.draw(st.lists(sizes, max_size=30)):
        pieces.append(stream.push(samples[at : at + size]))
        at += size
    pieces.append(stream.push(samples[at:]))
    assert whole.shape == (spec.frame_count(length), *spec.frame_shape)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("spec", SPECS)
def test_one_sample_at_a_time_gives_the_same_bits(spec: FrontEndSpec) -> None:
    samples = voice(1200)
    stream = FrontEnd(spec)
    one_by_one = np.concatenate([stream.push(samples[i : i + 1]) for i in range(len(samples))])
    np.testing.assert_array_equal(one_by_one, FrontEnd(spec).frames(samples))


def test_a_frame_comes_with_its_last_sample_and_not_before() -> None:
    front_end, samples = FrontEnd(COMPLEX_POWER), voice(560)
    assert len(front_end.push(samples[:399])) == 0
    assert len(front_end.push(samples[399:400])) == 1
    assert len(front_end.push(samples[400:559])) == 0
    assert len(front_end.push(samples[559:560])) == 1


def test_reset_forgets_the_signal_before() -> None:
    front_end, samples = FrontEnd(COMPLEX_POWER), voice(1000)
    front_end.push(voice(777, seed=1))
    front_end.reset()
    np.testing.assert_array_equal(front_end.push(samples), FrontEnd(COMPLEX_POWER).frames(samples))
    np.testing.assert_array_equal(front_end.frames(samples), FrontEnd(COMPLEX_POWER).frames(samples))


def test_frames_handed_out_are_not_written_to_later() -> None:
    front_end = FrontEnd(COMPLEX_POWER)
    first = front_end.push(voice(1000))
    kept = first.copy()
    front_end.push(voice(1000, seed=2))
    np.testing.assert_array_equal(first, kept)


# What other libraries do by default has nearly the same magnitudes. The parts tell it apart.


def test_a_window_centred_in_the_fft_is_told_apart_though_its_magnitudes_agree() -> None:
    librosa = pytest.importorskip("librosa")
    samples = voice(16_000)
    # 56 zeros on either side of the window: shifting the signal by as many lines its frames up with ours.
    centred = librosa.stft(np.pad(samples, 56), n_fft=512, hop_length=160, win_length=400, center=False).T
    exact = spectrum(samples)
    np.testing.assert_allclose(np.abs(centred), np.abs(exact), atol=1e-4)
    assert relative_distance(FrontEnd(COMPLEX_POWER).frames(samples), compressed(centred)) > 0.5


@pytest.mark.parametrize("library", ["librosa", "torch"])
@pytest.mark.parametrize("centre", [True, False])
def test_default_stfts_are_told_apart(library: str, centre: bool) -> None:
    module = pytest.importorskip(library)
    samples = voice(16_000)
    if library == "librosa":
        theirs = module.stft(samples, n_fft=512, hop_length=160, win_length=400, center=centre).T
    else:
        window = module.hann_window(400)
        theirs = (
            module.stft(module.from_numpy(samples), 512, 160, 400, window, center=centre, return_complex=True)
            .numpy()
            .T
        )
    frames = FrontEnd(COMPLEX_POWER).frames(samples)
    count = min(len(frames), len(theirs))
    assert len(theirs) != len(frames)
    assert relative_distance(frames[:count], compressed(theirs[:count])) > 0.5


def test_a_symmetric_window_is_told_apart() -> None:
    samples = voice(16_000)
    frames = FrontEnd(COMPLEX_POWER).frames(samples)
    assert relative_distance(frames, compressed(spectrum(samples))) < 1e-5
    assert relative_distance(frames, compressed(spectrum(samples, symmetric=True))) > 1e-3


def test_int16_scale_is_told_apart() -> None:
    samples = voice(16_000)
    frames, louder = (FrontEnd(COMPLEX_POWER).frames(scale * samples) for scale in (1.0, 32_768.0))
    assert np.median(louder[frames != 0] / frames[frames != 0]) == pytest.approx(32_768**0.3, rel=1e-5)


def test_input_scale_undoes_int16_scale() -> None:
    samples = voice(16_000)
    scaled = FrontEnd(replace(COMPLEX_POWER, input_scale=32_768.0)).frames(32_768 * samples)
    np.testing.assert_array_equal(scaled, FrontEnd(COMPLEX_POWER).frames(samples))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((400, 2), np.float32), r"shape \(400, 2\), expected one dimension"),
        (np.zeros(400, np.int16), "got int16, expected float32 in"),
        (np.full(400, np.nan, np.float32), "NaN or infinity in 400 of 400 samples"),
        (np.array([0.0, np.inf], np.float32), "the first at sample 1"),
    ],
)
def test_what_is_no_signal_is_refused_and_leaves_no_trace(samples: np.ndarray, message: str) -> None:
    front_end, good = FrontEnd(COMPLEX_POWER), voice(1000)
    front_end.push(good[:300])
    with pytest.raises(InputError, match=message):
        front_end.push(samples)
    np.testing.assert_array_equal(front_end.push(good[300:]), FrontEnd(COMPLEX_POWER).frames(good))


@given(samples=st.integers(1, 500), clip=st.integers(1, 500))
def test_a_short_clip_is_repeated_sample_by_sample_and_a_long_one_cut(samples: int, clip: int) -> None:
    x = np.arange(samples, dtype=np.float32)
    tiled = tile_clip(x, clip_samples=clip)
    assert tiled.dtype == np.float32
    np.testing.assert_array_equal(tiled, [x[n % samples] for n in range(clip)])


def test_nothing_cannot_be_tiled() -> None:
    with pytest.raises(InputError, match="no samples"):
        tile_clip(np.empty(0, np.float32), clip_samples=96_000)
