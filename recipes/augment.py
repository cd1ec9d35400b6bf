"""Voices as a telephone, a room and a cheap microphone would deliver them.

Everything here is numpy on one voice at a time and takes its randomness from the generator it is given, so
a seed makes the same pool of voices anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Samples = NDArray[np.float32]

RATE_HZ = 16_000
TELEPHONE_BAND_HZ = (300.0, 3400.0)
MU = 255.0
_SPEECH_DB = (-30.0, -14.0)  # root mean square, of full scale


@dataclass(frozen=True)
class Channel:
    """How often each thing happens to a voice, and how strongly.

    Attributes
    ----------
    equaliser, room, noise, telephone
        Probabilities.
    equaliser_db
        Standard deviation of the gain at each of nine points of the mel scale.
    reverberation_s
        Least and greatest time in which a room's echo falls by 60 dB.
    noise_snr_db
        Least and greatest signal-to-noise ratio.
    """

    equaliser: float = 0.5
    room: float = 0.25
    noise: float = 0.45
    telephone: float = 0.25
    equaliser_db: float = 4.0
    reverberation_s: tuple[float, float] = (0.1, 0.5)
    noise_snr_db: tuple[float, float] = (5.0, 45.0)


def augment(voice: Samples, rng: np.random.Generator, channel: Channel) -> Samples:
    """Send a voice through a random channel, at a random level.

    Parameters
    ----------
    voice
        16 kHz samples in [-1, 1].
    rng
        Decides everything.
    channel
        The odds.

    Returns
    -------
    float32, of the same length, in [-1, 1]
    """
    sound = voice.astype(np.float64)
    if rng.random() < channel.equaliser:
        sound = equalise(sound, rng.normal(0.0, channel.equaliser_db, 9))
    if rng.random() < channel.room:
        sound = reverberate(sound, rng, decay_s=rng.uniform(*channel.reverberation_s))
    if rng.random() < channel.noise:
        sound = add_noise(sound, rng, snr_db=rng.uniform(*channel.noise_snr_db))
    sound = set_level(sound, rms_db=rng.uniform(*_SPEECH_DB))
    if rng.random() < channel.telephone:
        sound = telephone(sound)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def equalise(sound: Array, gains_db: Array) -> Array:
    """Filter with gains given at equal steps of the mel scale from 0 to 8 kHz."""
    spectrum = np.fft.rfft(sound)
    mel = np.log1p(np.linspace(0.0, RATE_HZ / 2, len(spectrum)) / 700.0)
    gain_db = np.interp(mel, np.linspace(0.0, mel[-1], len(gains_db)), gains_db)
    return np.fft.irfft(spectrum * 10.0 ** (gain_db / 20.0), len(sound))


def reverberate(sound: Array, rng: np.random.Generator, *, decay_s: float) -> Array:
    """Add exponentially decaying white echoes, about as loud as half the direct sound at most."""
    time_s = np.arange(round(decay_s * RATE_HZ)) / RATE_HZ
    echo = rng.standard_normal(len(time_s)) * 10.0 ** (-3.0 * time_s / decay_s)
    echo *= rng.uniform(0.1, 0.6) / np.linalg.norm(echo)
    echo[0] = 1.0
    length = len(sound) + len(echo) - 1
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(echo, length), length)[: len(sound)]


def add_noise(sound: Array, rng: np.random.Generator, *, snr_db: float) -> Array:
    """Add steady noise between white and brown."""
    spectrum = np.fft.rfft(rng.standard_normal(len(sound)))
    frequency_hz = np.linspace(0.0, RATE_HZ / 2, len(spectrum))
    spectrum *= (1.0 + frequency_hz / rng.uniform(100.0, 2000.0)) ** -rng.uniform(0.0, 1.5)
    noise = np.fft.irfft(spectrum, len(sound))
    noisy: Array = sound + noise * (_rms(sound) / _rms(noise) * 10.0 ** (-snr_db / 20.0))
    return noisy


def set_level(sound: Array, *, rms_db: float) -> Array:
    """Scale to a root mean square in dB of full scale."""
    scaled: Array = sound * (10.0 ** (rms_db / 20.0) / _rms(sound))
    return scaled


def telephone(sound: Array) -> Array:
    """The band of a telephone line and its G.711 code at 8 kHz, back at 16 kHz."""
    low_hz, high_hz = TELEPHONE_BAND_HZ
    even = np.pad(sound, (0, len(sound) % 2))
    spectrum = np.fft.rfft(even)
    frequency_hz = np.linspace(0.0, RATE_HZ / 2, len(spectrum))
    below_db = -30.0 * np.clip((low_hz - frequency_hz) / low_hz, 0.0, 1.0)
    above_db = -60.0 * np.clip((frequency_hz - high_hz) / 500.0, 0.0, 1.0)
    line = np.fft.irfft(spectrum * 10.0 ** ((below_db + above_db) / 20.0), len(even))
    return _double_rate(g711(line[::2]))[: len(sound)]


def g711(sound: Array) -> Array:
    """Encode with mu-law to eight bits and decode again, by the law's formula (continuous, mu = 255)."""
    compressed = np.sign(sound) * np.log1p(MU * np.minimum(np.abs(sound), 1.0)) / np.log1p(MU)
    code = np.rint(compressed * 127.0) / 127.0
    return np.asarray(np.sign(code) * np.expm1(np.abs(code) * np.log1p(MU)) / MU, np.float64)


def _double_rate(sound: Array) -> Array:
    spectrum = np.zeros(len(sound) + 1, np.complex128)
    half = np.fft.rfft(sound)
    spectrum[: len(half)] = 2.0 * half
    return np.fft.irfft(spectrum, 2 * len(sound))


def _rms(sound: Array) -> float:
    return float(np.sqrt(np.mean(np.square(sound)))) + 1e-9
