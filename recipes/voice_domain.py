"""Where the training voices lie, for the runtime to tell when it hears something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recipes.augment import Channel, Samples, augment
from voxtoon.confidence import DomainStatistics, domain_descriptor, fit_domain

VERSIONS = 3


def fit_voice_domain(voices: list[Samples], channel: Channel, *, seed: int) -> DomainStatistics:
    """Statistics of the descriptor over voices and their augmentations, without added noise.

    Parameters
    ----------
    voices
        16 kHz samples.
    channel
        Of the training; its noise is left out, or noise alone would look familiar.
    seed
        Decides the augmentations.
    """
    quiet = replace(channel, noise=0.0)
    descriptors = []
    for number, voice in enumerate(voices):
        rng = np.random.default_rng([seed, number])
        descriptors.append(domain_descriptor(voice))
        descriptors += [domain_descriptor(augment(voice, rng, quiet)) for _ in range(VERSIONS)]
    return fit_domain(descriptors)
