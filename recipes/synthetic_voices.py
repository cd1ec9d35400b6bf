"""Voices that belong to nobody: a source-filter synthesiser for pre-training, fixtures and the sample.

A voice is a glottal pulse train (after Rosenberg, 1971) and noise, shaped by five moving formants, a nasal
pole-zero pair and a frication band, all driven by one table of phones. Pitch and vocal-tract scale are known
exactly, which makes them labels that a voice encoder can be pre-trained on.

``python -m recipes.synthetic_voices --seed 7 --out samples/voice.flac`` writes one voice to a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.synthetic_phones import ROWS_PER_MS, Array, smooth, utterance

RATE_HZ = 16_000
HOP = round(RATE_HZ / 1000 / ROWS_PER_MS)  # samples per row of the control tracks
WINDOW = 2 * HOP
FFT = 1024  # a window and 54 ms of ringing: the narrowest resonance has died away by 80 dB
F0_RANGE_HZ = (65.0, 400.0)
TRACT_RANGE = (0.82, 1.42)  # formant frequencies over those of an adult male: large body to small child


@dataclass(frozen=True)
class SyntheticVoice:
    """One synthesised clip and what is known of its voice.

    Attributes
    ----------
    samples : numpy.ndarray
        Mono float32 in [-1, 1].
    sample_rate_hz : int
        Sampling rate of `samples`.
    median_f0_hz : float
        Median fundamental frequency over the voiced part.
    tract_scale : float
        Formant frequencies over those of the phone table (an adult male).
    breathiness : float
        Level of aspiration noise, 0 (none) to 1.
    syllables_per_s : float
        Tempo inside a phrase, pauses not counted.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    median_f0_hz: float
    tract_scale: float
    breathiness: float
    syllables_per_s: float


@dataclass(frozen=True)
class Speaker:
    """The fixed traits of a voice, drawn once per seed."""

    f0_hz: float
    tract_scale: float
    breathiness: float
    syllables_per_s: float
    intonation_semitones: float
    open_quotient: float
    tilt_hz: float
    jitter: float
    shimmer: float
    tremor_hz: float
    tremor_semitones: float


def synthesise(seed: int, *, seconds_s: float = 6.0, sample_rate_hz: int = RATE_HZ) -> SyntheticVoice:
    """Make one voice saying syllables of no language.

    Parameters
    ----------
    seed : int
        Decides speaker and utterance; the same seed gives the same clip.
    seconds_s : float, optional
        Length of the clip in seconds.
    sample_rate_hz : int, optional
        Rate of the samples; the synthesis runs at 16 kHz and is resampled when this differs.

    Returns
    -------
    SyntheticVoice
        The samples and the labels.

    Raises
    ------
    ValueError
        If the clip would be shorter than 0.5 s.
    """
    if seconds_s < 0.5:
        raise ValueError(f"a synthetic voice needs at least 0.5 s, got {seconds_s}")
    rng = np.random.default_rng(seed)
    speaker = draw_speaker(rng)
    length = round(seconds_s * RATE_HZ)
    rows = -(-length // HOP) + 1
    tracks, stress = utterance(rng, syllables_per_s=speaker.syllables_per_s, rows=rows)
    f0 = _melody(rng, speaker, stress)
    samples = _level(_speak(rng, speaker, tracks, f0)[:length], rng)
    if sample_rate_hz != RATE_HZ:
        import soxr  # type: ignore[import-untyped]

        samples = soxr.resample(samples, RATE_HZ, sample_rate_hz)
    voiced = tracks["voice"] > 0.3
    return SyntheticVoice(
        samples=np.clip(samples, -1.0, 1.0).astype(np.float32),
        sample_rate_hz=sample_rate_hz,
        median_f0_hz=float(np.median(f0[voiced] if voiced.any() else f0)),
        tract_scale=speaker.tract_scale,
        breathiness=speaker.breathiness,
        syllables_per_s=speaker.syllables_per_s,
    )


def draw_speaker(rng: np.random.Generator) -> Speaker:
    """Draw a speaker: pitch log-uniform, tract scale over its whole range and loosely tied to the pitch."""
    height = rng.uniform()
    low, high = np.log(F0_RANGE_HZ)
    size = 0.4 * height + 0.6 * rng.uniform()
    return Speaker(
        f0_hz=float(np.exp(low + (high - low) * height)),
        tract_scale=float(TRACT_RANGE[0] + (TRACT_RANGE[1] - TRACT_RANGE[0]) * size),
        breathiness=float(rng.beta(1.2, 3.0)),
        syllables_per_s=float(rng.uniform(3.2, 6.0)),
        intonation_semitones=float(rng.uniform(1.0, 3.5)),
        open_quotient=float(rng.uniform(0.45, 0.75)),
        tilt_hz=float(np.exp(rng.uniform(np.log(1200.0), np.log(7000.0)))),
        jitter=float(rng.uniform(0.003, 0.015)),
        shimmer=float(rng.uniform(0.02, 0.10)),
        tremor_hz=float(rng.uniform(3.0, 7.0)),
        tremor_semitones=float(rng.uniform(0.0, 0.3)),
    )


def _melody(rng: np.random.Generator, speaker: Speaker, stress: Array) -> Array:
    """Fundamental frequency in Hz, one value per control row."""
    time_s = np.arange(stress.size) * HOP / RATE_HZ
    tremor = np.sin(2 * np.pi * (speaker.tremor_hz * time_s + rng.uniform()))
    drift = smooth(rng.standard_normal(stress.size), width_ms=400.0)
    semitones = speaker.intonation_semitones * (stress - stress.mean() + 2.0 * drift)
    semitones = semitones + speaker.tremor_semitones * tremor
    f0: Array = np.clip(speaker.f0_hz * 2.0 ** (semitones / 12.0), 50.0, 500.0)
    return f0


def _speak(rng: np.random.Generator, speaker: Speaker, tracks: dict[str, Array], f0: Array) -> Array:
    """Excite the vocal tract with voice and breath, and add the frication that arises in front of it."""
    rows = f0.size
    voice, flow = _glottis(rng, speaker, f0, _per_sample(tracks["voice"]))
    noise = rng.standard_normal(rows * HOP)
    breath = _per_sample(tracks["breath"]) * (0.002 + 0.03 * speaker.breathiness) * (0.4 + flow) * noise
    friction = 0.13 * _per_sample(tracks["noise"]) * rng.standard_normal(rows * HOP)
    spectrum = _stft(voice + breath) * _tract_response(tracks, speaker)
    spectrum += _stft(friction) * _friction_response(tracks, speaker)
    return _overlap_add(spectrum)


def _glottis(rng: np.random.Generator, speaker: Speaker, f0: Array, level: Array) -> tuple[Array, Array]:
    """Differentiated glottal flow (with the radiation at the lips) and the flow itself, per sample.

    The pulse is made at twice the rate and halved in the frequency domain, or its closing edge would alias.
    """
    double = 2 * level.size
    cycles = np.cumsum(np.interp(np.arange(double) / (2 * HOP), np.arange(f0.size), f0)) / (2 * RATE_HZ)
    beats = np.arange(int(cycles[-1]) + 3)
    cycles = cycles + np.interp(cycles, beats, speaker.jitter * rng.standard_normal(beats.size))
    phase = cycles - np.floor(cycles)
    opening = speaker.open_quotient * 0.67
    closing = speaker.open_quotient * 0.33
    rise = 0.5 - 0.5 * np.cos(np.pi * phase / opening)
    fall = np.cos(0.5 * np.pi * (phase - opening) / closing)
    flow = np.where(phase < opening, rise, np.where(phase < opening + closing, fall, 0.0))
    flow *= 1.0 + np.interp(cycles, beats, speaker.shimmer * rng.standard_normal(beats.size))
    spectrum = np.fft.rfft(flow)[: level.size // 2 + 1]
    frequency_hz = np.fft.rfftfreq(level.size, 1.0 / RATE_HZ)
    spectrum = spectrum / (1.0 + 1j * frequency_hz / speaker.tilt_hz)
    smooth_flow = 0.5 * np.fft.irfft(spectrum, level.size) * level
    return np.diff(smooth_flow, prepend=0.0), smooth_flow


def _tract_response(tracks: dict[str, Array], speaker: Speaker) -> NDArray[np.complex128]:
    """Five resonances in cascade, and a nasal pole and zero as far as the velum is open: ``[rows, bins]``."""
    z = np.exp(-2j * np.pi * np.arange(FFT // 2 + 1) / FFT)
    scale = speaker.tract_scale
    nasal = tracks["nasal"][:, None]
    response = np.ones((tracks["f1"].size, z.size), dtype=np.complex128)
    formants = (tracks["f1"], tracks["f2"], tracks["f3"], np.array([3500.0]), np.array([4500.0]))
    for centre, width in zip(formants, (70.0, 90.0, 130.0, 200.0, 280.0), strict=True):
        response /= _resonance(z, centre[:, None] * scale, width * (1.0 + nasal))
    zero = _resonance(z, np.array([[900.0]]) * scale, 150.0 + 0.0 * nasal)
    pole = _resonance(z, np.array([[400.0]]) * scale, 200.0 + 0.0 * nasal)
    return response * (1.0 - nasal + nasal * zero / pole)


def _resonance(z: NDArray[np.complex128], centre_hz: Array, width_hz: Array) -> NDArray[np.complex128]:
    """Denominator of a two-pole resonator with unit gain at 0 Hz, on the delays `z`: ``[rows, bins]``."""
    radius = np.exp(-np.pi * width_hz / RATE_HZ)
    first = -2.0 * radius * np.cos(2.0 * np.pi * centre_hz / RATE_HZ)
    second = radius**2
    denominator: NDArray[np.complex128] = (1.0 + first * z + second * z**2) / (1.0 + first + second)
    return denominator


def _friction_response(tracks: dict[str, Array], speaker: Speaker) -> Array:
    """A bell around the centre of the friction, which moves less with body size than the formants do."""
    frequency_hz = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    centre_hz = tracks["noise_hz"][:, None] * np.sqrt(speaker.tract_scale)
    bell: Array = 1.0 / (1.0 + (2.0 * (frequency_hz - centre_hz) / tracks["noise_width_hz"][:, None]) ** 2)
    return bell


def _stft(samples: Array) -> NDArray[np.complex128]:
    """Hann-windowed spectra, one per control row, centred on it; the windows sum to one."""
    padded = np.pad(samples, (HOP, HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    spectra: NDArray[np.complex128] = np.fft.rfft(frames[: samples.size // HOP] * window, FFT)
    return spectra


def _overlap_add(spectra: NDArray[np.complex128]) -> Array:
    """Back to samples; what rings beyond its hop is added onto the following ones."""
    pieces = np.fft.irfft(spectra, FFT)
    blocks = -(-FFT // HOP)
    pieces = np.pad(pieces, ((0, 0), (0, blocks * HOP - FFT))).reshape(len(pieces), blocks, HOP)
    total = np.zeros((len(pieces) + blocks, HOP))
    for block in range(blocks):
        total[block : block + len(pieces)] += pieces[:, block]
    return total.reshape(-1)[HOP:]


def _per_sample(track: Array) -> Array:
    """A control track, interpolated to one value per sample."""
    return np.interp(np.arange(track.size * HOP) / HOP, np.arange(track.size), track)


def _level(samples: Array, rng: np.random.Generator) -> Array:
    """Bring to speech level (-23 dB of full scale), under a peak of 0.9, over a quiet room."""
    loudness = np.sqrt(np.mean(samples**2)) + 1e-12
    samples = samples * min(0.07 / loudness, 0.85 / (np.abs(samples).max() + 1e-12))
    return samples + 1e-4 * rng.standard_normal(samples.size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one voice to an audio file."""
    import soundfile  # type: ignore[import-untyped]

    parser = argparse.ArgumentParser(prog="python -m recipes.synthetic_voices", description=main.__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a .flac or .wav file")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rate", type=int, default=RATE_HZ, help="samples per second")
    options = parser.parse_args(arguments)
    voice = synthesise(options.seed, seconds_s=options.seconds, sample_rate_hz=options.rate)
    unfinished = options.out.with_name(f".{options.out.name}.part")
    soundfile.write(unfinished, voice.samples, options.rate, "PCM_16", format=options.out.suffix[1:].upper())
    unfinished.replace(options.out)
    print(f"{options.out}: {voice.median_f0_hz:.0f} Hz, tract scale {voice.tract_scale:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
