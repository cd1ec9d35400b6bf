"""What a synthetic voice says: phones, syllables and phrases, as control tracks over time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROWS_PER_MS = 0.2  # one row of the control tracks: 5 ms


@dataclass(frozen=True)
class Phone:
    """Targets of one phone: levels in [0, 1], frequencies of an adult male in Hz."""

    duration_ms: float
    voice: float
    breath: float
    noise: float
    f1: float
    f2: float
    f3: float
    nasal: float = 0.0
    noise_hz: float = 4000.0
    noise_width_hz: float = 2000.0


# Average formants as textbooks of phonetics give them; durations are relative within a syllable.
VOWELS = tuple(
    Phone(150, 1.0, 1.0, 0.0, *formants)
    for formants in (
        (280, 2250, 2950),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1100, 2440),
        (570, 850, 2410),
        (440, 1020, 2240),
        (310, 880, 2240),
        (500, 1500, 2500),
        (490, 1350, 1700),
    )
)
SONORANTS = (
    Phone(70, 0.55, 0.3, 0.0, 270, 1000, 2200, nasal=1.0),
    Phone(70, 0.55, 0.3, 0.0, 270, 1500, 2500, nasal=1.0),
    Phone(60, 0.7, 0.5, 0.0, 310, 750, 2300),
    Phone(60, 0.7, 0.5, 0.0, 350, 1150, 2700),
    Phone(60, 0.7, 0.5, 0.0, 330, 1200, 1600),
    Phone(60, 0.7, 0.5, 0.0, 270, 2200, 3000),
)
FRICATIVES = (
    Phone(100, 0.0, 0.1, 0.50, 350, 1700, 2600, noise_hz=5800, noise_width_hz=1800),
    Phone(100, 0.0, 0.1, 0.60, 350, 1900, 2600, noise_hz=3300, noise_width_hz=1400),
    Phone(90, 0.0, 0.2, 0.12, 350, 1100, 2300, noise_hz=5000, noise_width_hz=6000),
    Phone(70, 0.5, 0.2, 0.20, 300, 1700, 2600, noise_hz=5600, noise_width_hz=1800),
    Phone(70, 0.6, 0.3, 0.06, 300, 1100, 2300, noise_hz=4500, noise_width_hz=5000),
    Phone(60, 0.0, 4.0, 0.0, 500, 1500, 2500),
)
# A stop is a closure, a burst and, when voiceless, a breath.
STOPS = (
    (Phone(55, 0.0, 0.0, 0.0, 300, 900, 2300), Phone(12, 0.0, 1.0, 0.25, 350, 900, 2300, 0.0, 1200, 1500)),
    (Phone(55, 0.0, 0.0, 0.0, 300, 1700, 2600), Phone(12, 0.0, 1.0, 0.50, 350, 1700, 2600, 0.0, 4500, 2500)),
    (Phone(55, 0.0, 0.0, 0.0, 300, 2000, 2300), Phone(18, 0.0, 1.0, 0.40, 350, 2000, 2300, 0.0, 2000, 1000)),
    (Phone(50, 0.2, 0.0, 0.0, 250, 900, 2300), Phone(8, 0.4, 0.3, 0.15, 300, 900, 2300, 0.0, 1000, 1500)),
    (Phone(50, 0.2, 0.0, 0.0, 250, 1700, 2600), Phone(8, 0.4, 0.3, 0.25, 300, 1700, 2600, 0.0, 4000, 2500)),
)
PAUSE = Phone(1, 0.0, 0.0, 0.0, 500, 1500, 2500)
CONTROLS = tuple(field.name for field in fields(Phone))[1:]
SMOOTHING_MS = {"voice": 25.0, "breath": 25.0, "noise": 15.0, "nasal": 30.0}  # the rest moves with the tongue
TONGUE_MS = 65.0


def utterance(
    rng: np.random.Generator, *, syllables_per_s: float, rows: int
) -> tuple[dict[str, Array], Array]:
    """Phrases of syllables with pauses between.

    Parameters
    ----------
    rng : numpy.random.Generator
        What is said.
    syllables_per_s : float
        How fast, pauses not counted.
    rows : int
        Length of the tracks, in rows of 5 ms.

    Returns
    -------
    tracks : dict of str to numpy.ndarray
        One control track per target of a phone, ``[rows]``, as smooth as tongue and vocal folds move.
    stress : numpy.ndarray
        What the melody follows, ``[rows]``, about -1 to 1.7.
    """
    phones: list[Phone] = [PAUSE]
    lengths: list[int] = [int(rng.integers(4, 20))]
    stress: list[float] = [0.0]
    while sum(lengths) < rows:
        count = int(rng.integers(4, 13))
        for position in range(count):
            syllable = _syllable(rng)
            accent = rng.uniform(0.4, 1.0) if rng.uniform() < 0.35 else rng.uniform(-0.3, 0.2)
            stretch = (1.0 + 0.25 * max(accent, 0.0)) * (1.4 if position == count - 1 else 1.0)
            wanted_s = stretch * rng.uniform(0.8, 1.2) / syllables_per_s
            factor = 1000.0 * wanted_s / sum(phone.duration_ms for phone in syllable)
            for phone in syllable:
                phones.append(phone)
                lengths.append(max(1, round(factor * phone.duration_ms * ROWS_PER_MS)))
                stress.append(accent + 0.7 - 1.4 * position / count)  # a phrase starts high and falls
        phones.append(PAUSE)
        lengths.append(int(rng.integers(24, 80)))
        stress.append(-0.5)
    table = np.array([[getattr(phone, name) for name in CONTROLS] for phone in phones])
    raw = np.repeat(table, lengths, axis=0)[:rows]
    tracks = {
        name: smooth(raw[:, column], width_ms=SMOOTHING_MS.get(name, TONGUE_MS))
        for column, name in enumerate(CONTROLS)
    }
    return tracks, smooth(np.repeat(stress, lengths)[:rows], width_ms=150.0)


def _syllable(rng: np.random.Generator) -> tuple[Phone, ...]:
    """An onset (or none), a vowel or a glide of two, and sometimes a coda."""
    onset = _consonant(rng) if rng.uniform() < 0.85 else ()
    nucleus: tuple[Phone, ...] = (VOWELS[rng.integers(len(VOWELS))],)
    if rng.uniform() < 0.2:
        nucleus += (VOWELS[rng.integers(len(VOWELS))],)
    coda = _consonant(rng) if rng.uniform() < 0.3 else ()
    return onset + nucleus + coda


def _consonant(rng: np.random.Generator) -> tuple[Phone, ...]:
    """One consonant: a sonorant, a fricative or a stop, about as often as in speech."""
    kind = rng.uniform()
    if kind < 0.40:
        return (SONORANTS[rng.integers(len(SONORANTS))],)
    if kind < 0.68:
        return (FRICATIVES[rng.integers(len(FRICATIVES))],)
    return STOPS[rng.integers(len(STOPS))]


def smooth(track: Array, *, width_ms: float) -> Array:
    """Moving average with a Hann bell that is `width_ms` wide at half its height."""
    half = max(1, round(width_ms * ROWS_PER_MS))
    bell = np.hanning(2 * half + 1)
    return np.convolve(np.pad(track, half, mode="edge"), bell / bell.sum(), mode="valid")
