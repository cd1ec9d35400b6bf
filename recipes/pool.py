"""A pool of frames: every voice several times over, each time through another channel.

Augmenting once and cropping and masking the frames on the fly costs a tenth of augmenting at every step.
Frames come from the runtime's own front end, so training sees exactly what the device will.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.augment import Channel, Samples, augment
from voxtoon.front_end import FrontEnd, FrontEndSpec, tile_clip


@dataclass(frozen=True)
class Pool:
    """Frames of voices.

    Attributes
    ----------
    frames
        float16 [voices, versions, time, frequency, channel].
    """

    frames: Tensor

    def crop(
        self, voices: NDArray[np.intp], *, frames: int, rng: np.random.Generator, clean: float = 0.0
    ) -> Tensor:
        """A random stretch of a random version of each of these voices, [n, frames, frequency, channel].

        ``clean`` is the share taken from version 0, which no channel has touched.
        """
        versions = rng.integers(0, self.frames.shape[1], len(voices))
        versions[rng.random(len(voices)) < clean] = 0
        starts = rng.integers(0, self.frames.shape[2] - frames + 1, len(voices))
        cropped = [
            self.frames[voice, version, start : start + frames]
            for voice, version, start in zip(voices, versions, starts, strict=True)
        ]
        return torch.stack(cropped).float()


def make_pool(
    voices: list[Samples], spec: FrontEndSpec, *, versions: int, channel: Channel, seed: int
) -> Pool:
    """Frames of every voice: version 0 as it is, the others through random channels.

    Parameters
    ----------
    voices
        16 kHz samples of any length; each is tiled to a clip, from a random place except in version 0.
    spec
        Of the front end.
    versions
        How often each voice is there.
    channel, seed
        What happens to versions 1 and above.
    """
    shape = (len(voices), versions, spec.frame_count(spec.clip_samples), *spec.frame_shape)
    frames = np.empty(shape, np.float16)

    def fill(number: int) -> None:
        front_end, voice = FrontEnd(spec), voices[number]
        rng = np.random.default_rng([seed, number])
        for version in range(versions):
            turned = np.roll(voice, -int(rng.integers(len(voice)))) if version else voice
            clip = tile_clip(turned, clip_samples=spec.clip_samples)
            frames[number, version] = front_end.frames(augment(clip, rng, channel) if version else clip)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, range(len(voices))))
    return Pool(torch.from_numpy(frames))


def mask(frames: Tensor, rng: np.random.Generator, *, time: float = 0.15, frequency: float = 0.12) -> Tensor:
    """SpecAugment: blank two stretches of time and two bands of each example, to the example's mean.

    Parameters
    ----------
    frames
        [n, time, frequency, channel].
    rng
        Decides where.
    time, frequency
        The longest stretch, as a share of the axis.
    """
    count, length, bins, _ = frames.shape
    hidden = torch.zeros(count, length, bins, dtype=torch.bool)
    for number in range(count):
        for _ in range(2):
            width = int(rng.integers(0, int(time * length) + 1))
            start = int(rng.integers(0, length - width + 1))
            hidden[number, start : start + width] = True
            width = int(rng.integers(0, int(frequency * bins) + 1))
            start = int(rng.integers(0, bins - width + 1))
            hidden[number, :, start : start + width] = True
    mean = frames.mean(dim=(1, 2), keepdim=True)
    return torch.where(hidden.unsqueeze(-1), mean, frames)
