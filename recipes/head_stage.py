"""The third stage: the encoder's two fully connected layers again, through the frozen decoder.

The picture's error that trained the encoder is a linear stand-in, heard three seconds at a time. On the
device the mean is over a whole clip and the decoder is not linear, and both cost: predictions come out too
near the mean face, and where a voice is unsure its feature lies between faces that the decoder knows. Here
only the last two layers move, from whole clips to the decoder's own texture and landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recipes.dataset import SMALL_PX
from recipes.lessons import Lesson
from voxtoon_export.network import Network

_TRAINED = ("fc1", "fc2")


@dataclass(frozen=True)
class HeadSettings:
    """How the last layers are trained.

    Attributes
    ----------
    examples, batch, learning_rate
        How many are heard, and of AdamW with one cycle of the learning rate; no examples leave the encoder
        as it is.
    versions, clean
        How many versions of each voice are heard, and the share of examples from untouched voices.
    dropout, mixup
        Of what the encoder's convolutions give; share of batches in which two voices and faces are blended.
    texture_weight, landmark_weight
        Of the squared error of a small texture, and of the landmarks in pixels.
    anchor_weight
        Of the squared distance from the weights the stage began with.
    """

    examples: int = 5_000
    batch: int = 32
    learning_rate: float = 5e-4
    versions: int = 3
    clean: float = 0.4
    dropout: float = 0.3
    mixup: float = 0.6
    texture_weight: float = 1000.0
    landmark_weight: float = 0.05
    anchor_weight: float = 0.05


def train_head_stage(
    encoder: Network,
    decoder: Network,
    lessons: Sequence[Lesson],
    settings: HeadSettings,
    *,
    seed: int,
    log: Callable[[str], None] = print,
) -> None:
    """Train the last layers of an encoder, in place; both networks stay in evaluation mode.

    Parameters
    ----------
    encoder, decoder
        The encoder of the voice stage and the frozen decoder.
    lessons
        Voices and the faces to draw for them.
    settings, seed
        How.
    log
        Takes one line at the end.
    """
    if settings.examples == 0:
        return
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    maps = [_maps(encoder, lesson, settings) for lesson in lessons]
    head = _head(encoder)
    trained = [value for name in _TRAINED for value in encoder.get_submodule(name).parameters()]
    anchors = [value.detach().clone() for value in trained]
    for value in trained:
        value.requires_grad_(True)
    steps = max(1, settings.examples // settings.batch)
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(2, steps), pct_start=0.1
    )
    total = 0.0
    for _ in range(steps):
        heard, textures, landmarks = _batch(lessons, maps, settings, rng)
        feature = _run(encoder, head, functional.dropout(heard, settings.dropout))
        texture, points = decoder(feature)
        moved = torch.stack([(a - b).square().sum() for a, b in zip(trained, anchors, strict=True)]).sum()
        loss = (
            settings.texture_weight * (_small(texture) - textures).square().mean()
            + settings.landmark_weight * (points - landmarks).square().mean()
            + settings.anchor_weight * moved
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item()
    for value in trained:
        value.requires_grad_(False)
    log(f"head stage: loss {total / steps:.3f}")


@torch.no_grad()
def _maps(encoder: Network, lesson: Lesson, settings: HeadSettings) -> Tensor:
    """What the convolutions make of whole clips, [voices, versions, channel, time, frequency]."""
    trunk = _streamable(encoder)
    frames = lesson.pool.frames[:, : settings.versions]
    batches = torch.split(frames.flatten(0, 1), 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = [_run(encoder, trunk, batch.float().permute(0, 3, 1, 2)).half() for batch in batches]
    return torch.cat(maps).reshape(*frames.shape[:2], *maps[0].shape[1:])


def _batch(
    lessons: Sequence[Lesson], maps: Sequence[Tensor], settings: HeadSettings, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over a random stretch of two steps or more, and the faces that belong to it."""
    shares = np.array([lesson.share for lesson in lessons])
    counts = rng.multinomial(settings.batch, shares / shares.sum())
    steps = maps[0].shape[3]
    length = int(rng.integers(min(2, steps), steps + 1))
    start = int(rng.integers(0, steps - length + 1))
    heard, textures, landmarks = [], [], []
    for lesson, of_lesson, count in zip(lessons, maps, counts, strict=True):
        rows = rng.integers(0, len(of_lesson), count)
        versions = rng.integers(0, of_lesson.shape[1], count)
        versions[rng.random(count) < settings.clean] = 0
        heard.append(of_lesson[rows, versions][:, :, start : start + length].float().mean(2, keepdim=True))
        textures.append(lesson.textures[rows])
        landmarks.append(lesson.landmarks[rows])
    drawn = (torch.cat(heard), torch.cat(textures), torch.cat(landmarks))
    if rng.random() >= settings.mixup:
        return drawn
    share, other = float(rng.beta(0.4, 0.4)), rng.permutation(settings.batch)
    blended = [share * value + (1.0 - share) * value[other] for value in drawn]
    return blended[0], blended[1], blended[2]


def _streamable(encoder: Network) -> list[str]:
    return _names(encoder)[: len(encoder.spec.streamable)]


def _head(encoder: Network) -> list[str]:
    return _names(encoder)[len(encoder.spec.streamable) + 1 :]


def _names(encoder: Network) -> list[str]:
    return [name for name, _ in encoder.named_children()]


def _run(encoder: Network, names: Sequence[str], value: Tensor) -> Tensor:
    result: Tensor = nn.Sequential(*(encoder.get_submodule(name) for name in names))(value)
    return result


def _small(texture: Tensor) -> Tensor:
    return functional.avg_pool2d(texture.permute(0, 3, 1, 2), texture.shape[1] // SMALL_PX)
