"""How far a face can be trusted: from how much speech was heard, and how near it is to the training voices.

``value = speech * domain``, each between 0 and 1:

* ``speech`` is 0 below 1 s of speech, 0.4 at 1 s, and grows linearly to 1 at 3 s (0.398 at 0.992 s, which is
  a second in windows of 32 ms: `speech.is_reached`);
* ``domain`` is 1 up to the distance that 99 % of the training voices keep, and falls linearly to 0 at twice
  that.

The distance is Mahalanobis', of a descriptor of the long-term spectrum between 300 and 3400 Hz: what a
telephone passes, so that the same voice is equally near on a wideband and on a narrowband line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .front_end import LOG_MEL, FrontEnd
from .mel import hz_to_mel
from .speech import is_reached

Reason = Literal["ok", "too_little_speech", "not_speech", "unlike_training"]

DESCRIPTOR = "log_mel_mean_std"
"""Name of `domain_descriptor` in a manifest."""
DESCRIPTOR_SIZE = 40
CONFIDENCE_FLOOR = 0.3
"""Below this a face is not shown: the avatar is the neutral one."""
LEAST_SPEECH_S = 1.0
ENOUGH_SPEECH_S = 3.0

_FIRST_VALUE = 0.4  # of `speech` at LEAST_SPEECH_S
_NOT_SPEECH_S = 1.0  # this much sound without enough speech in it is not a voice
_TELEPHONE_BAND_HZ = (300.0, 3400.0)
_BANDS_PER_GROUP = 2
_GATE_DB = 30.0  # frames this far below the loud ones are pauses
_LEVEL = 0.1  # level the loud frames are brought to, so that the floor of the front end never shows
_SILENCE_DB = -60.0
_SHRINKAGE = 0.05


@dataclass(frozen=True)
class Confidence:
    """How far a face can be trusted, in [0, 1], and why not further."""

    value: float
    reason: Reason


@dataclass(frozen=True)
class DomainStatistics:
    """Where the training voices lie.

    Attributes
    ----------
    mean
        Mean descriptor, [n].
    whitener
        [n, n]; ``whitener @ (descriptor - mean)`` has unit covariance over the training voices.
    distance_p50, distance_p99
        Percentiles of the length of that vector over the training voices.
    """

    mean: NDArray[np.float64]
    whitener: NDArray[np.float64]
    distance_p50: float
    distance_p99: float

    def distance(self, descriptor: ArrayLike) -> float:
        """Mahalanobis distance of a descriptor; at most `distance_p99` for 99 % of the training voices."""
        return float(np.linalg.norm(self.whitener @ (np.asarray(descriptor, np.float64) - self.mean)))


def domain_descriptor(samples: ArrayLike) -> NDArray[np.float64]:
    """Long-term spectrum of a voice and its liveliness, independent of level and bandwidth.

    Parameters
    ----------
    samples
        Mono float samples at 16 kHz, at least one frame (400).

    Returns
    -------
    float64 [40]
        Mean over the loud frames of 20 log-mel bands between 300 and 3400 Hz, their overall mean subtracted,
        and standard deviation of the same.
    """
    samples = np.asarray(samples, np.float32)
    gain = _LEVEL / max(_loud(_levels(samples)), 1e-6)
    frames = FrontEnd(LOG_MEL).frames(samples * np.float32(gain))[:, :, 0].astype(np.float64)
    assert LOG_MEL.log_scale is not None
    log_power = frames / LOG_MEL.log_scale
    bands = log_power[:, _telephone_bands()]
    grouped = bands.reshape(len(bands), -1, _BANDS_PER_GROUP).mean(axis=2)
    loudness = np.log(np.exp(log_power).mean(axis=1))
    loud = loudness >= _loud(loudness) - _GATE_DB * np.log(10) / 10
    mean = grouped[loud].mean(axis=0)
    return np.concatenate([mean - mean.mean(), grouped[loud].std(axis=0)])


def fit_domain(descriptors: ArrayLike) -> DomainStatistics:
    """Mean, whitener and distances of the training voices.

    Parameters
    ----------
    descriptors
        [voices, n], of `domain_descriptor`, augmented as the training is, but without added noise: with noise
        among them, noise alone looks familiar.

    Raises
    ------
    InputError
        When there are fewer than two voices.
    """
    voices = np.asarray(descriptors, np.float64)
    if voices.ndim != 2 or len(voices) < 2:
        raise InputError(
            "descriptors", got=f"shape {voices.shape}", expected="(voices, n), two voices or more"
        )
    mean = voices.mean(axis=0)
    covariance = np.atleast_2d(np.cov(voices, rowvar=False))
    spread = max(float(np.trace(covariance)) / len(covariance), 1e-12)
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(len(covariance))
    variance, axes = np.linalg.eigh(shrunk)
    whitener = (axes / np.sqrt(variance)).T
    distances = np.linalg.norm((voices - mean) @ whitener.T, axis=1)
    p50, p99 = (float(value) for value in np.percentile(distances, (50, 99)))
    return DomainStatistics(mean, whitener, p50, p99)


def sound_seconds(samples: ArrayLike) -> float:
    """Seconds of a 16 kHz signal, in steps of 10 ms, louder than -60 dB of full scale."""
    return float(np.count_nonzero(_levels(np.asarray(samples, np.float32)) > 10 ** (_SILENCE_DB / 20))) / 100


def is_sound(samples: NDArray[np.float32]) -> bool:
    """Whether a signal is louder than -60 dB of full scale."""
    return float(np.dot(samples, samples)) > 10 ** (_SILENCE_DB / 10) * len(samples)


def confidence(
    *, speech_s: float, sound_s: float, distance: float | None = None, distance_p99: float | None = None
) -> Confidence:
    """How far a face can be trusted.

    Parameters
    ----------
    speech_s, sound_s
        Seconds of speech, and of anything louder than silence, that were heard.
    distance, distance_p99
        From the training voices, see `DomainStatistics`; None where a bundle does not know them, and then
        only the speech counts.
    """
    if not is_reached(speech_s, LEAST_SPEECH_S):
        return Confidence(0.0, "not_speech" if sound_s - speech_s >= _NOT_SPEECH_S else "too_little_speech")
    heard = min((speech_s - LEAST_SPEECH_S) / (ENOUGH_SPEECH_S - LEAST_SPEECH_S), 1.0)
    speech = _FIRST_VALUE + (1 - _FIRST_VALUE) * heard
    domain = 1.0
    if distance is not None and distance_p99 is not None:
        domain = float(np.clip(2.0 - distance / max(distance_p99, 1e-12), 0.0, 1.0))
    value = speech * domain
    return Confidence(value, "unlike_training" if value < CONFIDENCE_FLOOR else "ok")


def _telephone_bands() -> slice:
    assert LOG_MEL.mel_bins is not None
    assert LOG_MEL.mel_low_hz is not None
    assert LOG_MEL.mel_high_hz is not None
    edges = np.linspace(hz_to_mel(LOG_MEL.mel_low_hz), hz_to_mel(LOG_MEL.mel_high_hz), LOG_MEL.mel_bins + 2)
    first, end = np.searchsorted(edges[1:-1], hz_to_mel(np.array(_TELEPHONE_BAND_HZ)))
    return slice(int(first), int(end - (end - first) % _BANDS_PER_GROUP))


def _levels(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root mean square of each 10 ms."""
    hops = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(np.float64)
    return np.asarray(np.sqrt(np.square(hops).mean(axis=1)))


def _loud(values: NDArray[np.float64]) -> float:
    """The value that a twentieth of the others exceed; unlike `np.percentile` it does not import numpy.ma."""
    rank = int(0.95 * (len(values) - 1))
    return float(np.partition(values, rank)[rank])
