"""What a telephone line carries besides voices: signalling tones, music on hold and noise, all synthesised.

Nothing here is speech, and nothing is recorded: fixtures and measurements of the speech gate can so be made
again from a seed. `SOUNDS` names every kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
_LEVEL = 0.1  # root mean square, -20 dB of full scale
_DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))
_SCALE = (0, 2, 4, 5, 7, 9, 11)  # semitones of a major scale
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))

Samples = NDArray[np.float32]
Sound = Callable[[np.random.Generator, float], Samples]


def dtmf(rng: np.random.Generator, seconds_s: float) -> Samples:
    """Random keys, 0.1 s of two tones and 0.1 s of nothing (ITU-T Q.23)."""
    keys = []
    for _ in range(round(seconds_s / 0.2) + 1):
        low, high = (rng.choice(row) for row in _DTMF_HZ)
        keys += [_tone(0.1, low, high), np.zeros(RATE_HZ // 10)]
    return _finished(np.concatenate(keys), seconds_s)


def ring_back(rng: np.random.Generator, seconds_s: float) -> Samples:
    """425 Hz or 440 and 480 Hz, on and off (ITU-T E.180)."""
    tone, pause_s = (_tone(1.0, 425), 4.0) if rng.random() < 0.5 else (_tone(2.0, 440, 480), 4.0)
    once = np.concatenate([tone, np.zeros(round(pause_s * RATE_HZ))])
    return _finished(np.tile(once, int(seconds_s) // 5 + 2), seconds_s)


def busy(rng: np.random.Generator, seconds_s: float) -> Samples:
    """480 and 620 Hz or 425 Hz, half a second on and half a second off."""
    tone = _tone(0.5, 480, 620) if rng.random() < 0.5 else _tone(0.5, 425)
    return _finished(np.tile(np.concatenate([tone, np.zeros(RATE_HZ // 2)]), int(seconds_s) + 1), seconds_s)


def dial_tone(rng: np.random.Generator, seconds_s: float) -> Samples:
    """350 and 440 Hz, or 425 Hz, without end."""
    return _finished(_tone(seconds_s, *((350, 440) if rng.random() < 0.5 else (425,))), seconds_s)


def plucked(rng: np.random.Generator, seconds_s: float) -> Samples:
    """A melody over broken chords, of notes that are struck and die away, as of a piano or a guitar."""
    beat_s = rng.uniform(0.2, 0.4)
    root = rng.uniform(48, 60)
    total = np.zeros(round((seconds_s + 4) * RATE_HZ))
    for beat in range(int(seconds_s / beat_s) + 1):
        chord = _CHORDS[beat // 8 % len(_CHORDS)]
        _add(total, beat * beat_s, _struck(rng, root + chord[beat % 3], 2.0))
        if rng.random() < 0.6:
            _add(total, beat * beat_s, _struck(rng, root + 12 + rng.choice(_SCALE), 1.5))
    return _finished(total, seconds_s)


def sustained(rng: np.random.Generator, seconds_s: float) -> Samples:
    """Chords of strings or an organ with vibrato, a melody of longer notes above them."""
    total = np.zeros(round((seconds_s + 4) * RATE_HZ))
    root, bar_s = rng.uniform(48, 58), rng.uniform(1.5, 3.0)
    for bar in range(int(seconds_s / bar_s) + 1):
        for step in _CHORDS[bar % len(_CHORDS)]:
            _add(total, bar * bar_s, 0.5 * _bowed(rng, root + step, bar_s))
        for half in range(2):
            note = root + 12 + rng.choice(_SCALE)
            _add(total, (bar + half / 2) * bar_s, _bowed(rng, note, bar_s / 2))
    return _finished(total, seconds_s)


def band(rng: np.random.Generator, seconds_s: float) -> Samples:
    """Plucked and sustained notes together, and drums."""
    music = plucked(rng, seconds_s) + 0.7 * sustained(rng, seconds_s)
    total, beat_s = np.pad(music.astype(np.float64), (0, 2 * RATE_HZ)), rng.uniform(0.25, 0.35)
    for beat in range(int(seconds_s / beat_s) + 1):
        _add(total, beat * beat_s, _drum(rng, low=beat % 2 == 0))
    return _finished(total, seconds_s)


def lead(rng: np.random.Generator, seconds_s: float) -> Samples:
    """One singing voice of an instrument: a flute, a clarinet or a horn that slides between notes."""
    rate = np.repeat(rng.choice(_SCALE, round(seconds_s * 3) + 2) + rng.uniform(58, 70), RATE_HZ // 3)
    glide = np.convolve(rate, np.full(1200, 1 / 1200), "same")
    vibrato = 0.25 * np.sin(2 * np.pi * 5.5 * np.arange(len(glide)) / RATE_HZ)
    phase = np.cumsum(440 * 2 ** ((glide + vibrato - 69) / 12)) / RATE_HZ
    strength = rng.uniform(0.2, 0.7)
    notes = sum(strength**k * np.sin(2 * np.pi * (k + 1) * phase) for k in range(8))
    breath = 1 - 0.6 * np.abs(np.sin(np.pi * np.arange(len(glide)) / RATE_HZ * 1.5)) ** 8
    return _finished(notes * breath, seconds_s)


def white_noise(rng: np.random.Generator, seconds_s: float) -> Samples:
    """Noise of equal power in every hertz."""
    return _finished(rng.standard_normal(round(seconds_s * RATE_HZ)), seconds_s)


def pink_noise(rng: np.random.Generator, seconds_s: float) -> Samples:
    """Noise of equal power in every octave, swelling and fading as traffic does."""
    count = round(seconds_s * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), count)
    return _finished(noise * (1 + 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(count) / RATE_HZ)), seconds_s)


SOUNDS: Mapping[str, Sound] = {
    sound.__name__: sound
    for sound in (
        dtmf,
        ring_back,
        busy,
        dial_tone,
        plucked,
        sustained,
        band,
        lead,
        white_noise,
        pink_noise,
    )
}


def _tone(seconds_s: float, *frequencies_hz: float) -> NDArray[np.float64]:
    time_s = np.arange(round(seconds_s * RATE_HZ)) / RATE_HZ
    waves = [np.sin(2 * np.pi * frequency_hz * time_s) for frequency_hz in frequencies_hz]
    return np.asarray(np.sum(waves, axis=0))


def _harmonics(pitch: float, seconds_s: float, *, tilt: float, vibrato: float) -> NDArray[np.float64]:
    """Overtones up to 7 kHz, falling by a power of their number, over a pitch in semitones (69: 440 Hz)."""
    time_s = np.arange(round(seconds_s * RATE_HZ)) / RATE_HZ
    semitones = pitch + vibrato * np.sin(2 * np.pi * 5.5 * time_s)
    first_hz = 440 * 2 ** ((semitones - 69) / 12)
    phase = 2 * np.pi * np.cumsum(first_hz) / RATE_HZ
    count = int(7000 / first_hz.max())
    overtones = [np.sin(k * phase) * k**-tilt for k in range(1, count + 1)]
    return np.asarray(np.sum(overtones, axis=0))


def _struck(rng: np.random.Generator, pitch: float, seconds_s: float) -> NDArray[np.float64]:
    note = _harmonics(pitch, seconds_s, tilt=rng.uniform(1.2, 2.0), vibrato=0.0)
    return note * np.exp(-np.arange(len(note)) / RATE_HZ * rng.uniform(2.5, 5))


def _bowed(rng: np.random.Generator, pitch: float, seconds_s: float) -> NDArray[np.float64]:
    note = _harmonics(pitch, seconds_s, tilt=rng.uniform(1.0, 1.8), vibrato=rng.uniform(0, 0.2))
    swell = np.minimum(1, np.arange(len(note)) / (0.08 * RATE_HZ))
    return note * swell * swell[::-1]


def _drum(rng: np.random.Generator, *, low: bool) -> NDArray[np.float64]:
    time_s = np.arange(RATE_HZ // 5) / RATE_HZ
    if low:
        return 3 * np.sin(2 * np.pi * 60 * time_s * np.exp(-4 * time_s)) * np.exp(-25 * time_s)
    return rng.standard_normal(len(time_s)) * np.exp(-30 * time_s)


def _add(total: NDArray[np.float64], at_s: float, note: NDArray[np.float64]) -> None:
    start = round(at_s * RATE_HZ)
    room = total[start : start + len(note)]
    room += note[: len(room)]


def _finished(sound: NDArray[np.float64], seconds_s: float) -> Samples:
    sound = sound[: round(seconds_s * RATE_HZ)]
    gain = _LEVEL / np.sqrt(np.mean(sound[sound != 0] ** 2))
    return np.asarray(np.clip(sound * gain, -1, 1), np.float32)
