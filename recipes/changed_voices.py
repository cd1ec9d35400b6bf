"""Voices of nobody, made of recorded ones: pitch, tempo and the length of the vocal tract are changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.augment import RATE_HZ, Channel, Samples, augment
from recipes.pool import Pool
from recipes.speaker_network import SIZE, VIEWS, SpeakerNetwork, describe
from voxtoon.front_end import FrontEnd, FrontEndSpec, tile_clip

MOST_STRETCH = 0.18  # natural logarithm of the largest factor, and minus that of the smallest
MOST_TRACT = 0.10
_FFT, _HOP = 1024, 256
_ENVELOPE_CEPSTRA = 40  # the spectrum's envelope up to 2.5 ms of quefrency: below the period of most voices
_FLOOR = 1e-5


def change_voice(voice: Samples, rng: np.random.Generator) -> Samples:
    """Another voice, saying the same.

    Pitch, formants and tempo go together by one random factor (resampling), then the formants alone by
    another.

    Parameters
    ----------
    voice
        16 kHz samples.
    rng
        Decides the factors, and the place the voice begins at.

    Returns
    -------
    float32 in [-1, 1]
    """
    import soxr  # type: ignore[import-untyped]

    stretch = float(np.exp(rng.uniform(-MOST_STRETCH, MOST_STRETCH)))
    tract = float(np.exp(rng.uniform(-MOST_TRACT, MOST_TRACT)))
    turned = np.roll(voice, -int(rng.integers(len(voice))))
    return scale_formants(soxr.resample(turned, RATE_HZ * stretch, RATE_HZ), tract)


def scale_formants(voice: Samples, factor: float) -> Samples:
    """Move the spectral envelope along the frequency axis by a factor; pitch and tempo stay.

    Parameters
    ----------
    voice
        16 kHz samples.
    factor
        Above 1 as of a shorter vocal tract.
    """
    window = np.hanning(_FFT + 1)[:-1]
    padded = np.pad(voice, (_FFT, _FFT + -len(voice) % _HOP))
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP] * window)
    cepstra = np.fft.irfft(np.log(np.abs(spectra) + _FLOOR))
    cepstra[:, _ENVELOPE_CEPSTRA : _FFT - _ENVELOPE_CEPSTRA + 1] = 0.0
    envelope = np.fft.rfft(cepstra).real
    place = np.minimum(np.arange(envelope.shape[1]) / factor, envelope.shape[1] - 1.001)
    below = place.astype(np.intp)
    moved = envelope[:, below] + (envelope[:, below + 1] - envelope[:, below]) * (place - below)
    pieces = np.fft.irfft(spectra * np.exp(moved - envelope)) * window
    blocks = pieces.reshape(len(pieces), _FFT // _HOP, _HOP)
    total = np.zeros((len(pieces) + _FFT // _HOP, _HOP))
    for block in range(_FFT // _HOP):
        total[block : block + len(pieces)] += blocks[:, block]
    overlap = float(np.square(window).sum()) / _HOP
    changed = total.reshape(-1)[_FFT : _FFT + len(voice)] / overlap
    return np.clip(changed, -1.0, 1.0).astype(np.float32)


def make_changed_voices(
    voices: Sequence[Samples],
    spec: FrontEndSpec,
    network: SpeakerNetwork,
    *,
    count: int,
    channel: Channel,
    seed: int,
) -> tuple[Pool, NDArray[np.float32]]:
    """Frames of changed voices, and what the speaker network hears in them.

    Parameters
    ----------
    voices
        16 kHz samples of any length.
    spec
        Of the front end.
    network
        Hears each as it is.
    count
        How many are made of each voice.
    channel, seed
        Of the version beside the untouched one.

    Returns
    -------
    pool
        Of ``len(voices) * count`` voices in two versions.
    views
        float32 [len(voices) * count, 3, 256].
    """
    shape = (len(voices) * count, 2, spec.frame_count(spec.clip_samples), *spec.frame_shape)
    frames = np.empty(shape, np.float16)
    views = np.empty((len(frames), VIEWS, SIZE), np.float32)

    def make(row: int) -> None:
        front_end = FrontEnd(spec)
        rng = np.random.default_rng([seed, row])
        changed = change_voice(voices[row // count], rng)
        views[row] = describe(network, changed)
        clip = tile_clip(changed, clip_samples=spec.clip_samples)
        frames[row, 0] = front_end.frames(clip)
        frames[row, 1] = FrontEnd(spec).frames(augment(clip, rng, channel))

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(make, range(len(frames))))
    return Pool(torch.from_numpy(frames)), views
