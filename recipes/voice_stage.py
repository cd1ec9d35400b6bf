"""The second stage: a voice encoder that finds the face's feature; face encoder and decoder stay fixed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.augment import Samples
from recipes.halves import build_narrow, join
from recipes.lessons import Lesson
from recipes.loss import Speech2FaceLoss
from recipes.picture_metric import PictureMetric
from recipes.pool import mask
from voxtoon.front_end import FrontEnd, FrontEndSpec, tile_clip
from voxtoon_export.network import Network
from voxtoon_export.systems import Variant


@dataclass(frozen=True)
class VoiceSettings:
    """How a voice encoder is trained.

    Attributes
    ----------
    examples, batch, learning_rate, weight_decay
        How many each encoder hears, and of AdamW with one cycle of the learning rate.
    narrow
        Encoders that are trained side by side and then joined (`recipes.halves`).
    crop_frames
        Length of a training example; the encoder needs 259.
    clean
        Share of examples from voices that no channel has touched.
    paper_weight
        Of the paper's loss, where there is a published face. At 0 the last layer finds the picture's
        principal components (`PictureMetric`) by their squared error, and gives their typical feature.
    view_weight
        Of the squared error of the speaker network's views, found by a layer beside the last one that is
        thrown away afterwards.
    """

    examples: int = 150_000
    batch: int = 32
    learning_rate: float = 2e-3
    narrow: int = 2
    weight_decay: float = 2e-2
    crop_frames: int = 259
    clean: float = 0.4
    paper_weight: float = 0.0
    view_weight: float = 0.5


def train_voice_stage(
    lessons: Sequence[Lesson],
    variant: Variant,
    loss: Speech2FaceLoss,
    metric: PictureMetric,
    settings: VoiceSettings,
    *,
    seed: int,
    log: Callable[[str], None] = print,
) -> Network:
    """Train the encoder of a variant.

    Parameters
    ----------
    lessons
        Voices and what they are to give; the first of them are the published ones.
    variant
        Whose encoder is trained.
    loss, metric
        Two terms, see `VoiceSettings`.
    settings, seed
        How.
    log
        Takes one line per tenth of the examples.

    Returns
    -------
    Network
        In evaluation mode.
    """
    assert lessons[0].features is not None
    centre, views = lessons[0].features.mean(dim=0), lessons[0].views.shape[1]
    learners = [
        _Learner.fresh(variant, settings, metric, centre, views=views, seed=seed + number)
        for number in range(settings.narrow)
    ]

    def learn(number: int) -> None:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // settings.narrow))

        def tell(line: str) -> None:
            log(f"voice stage, encoder {number + 1}: {line}")

        learners[number].learn(lessons, loss, settings, seed=seed + number, log=tell)

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(settings.narrow) as pool:
        list(pool.map(learn, range(settings.narrow)))
    torch.set_num_threads(threads)
    return join([learner.finished() for learner in learners], variant).eval()


@dataclass(frozen=True)
class _Learner:
    """An encoder, and layers beside its last one.

    Attributes
    ----------
    pictures
        Finds the components of the picture; becomes the encoder's last layer, see `finished`. None where the
        paper's loss trains that.
    views
        Finds the speaker network's views; thrown away.
    """

    encoder: Network
    metric: PictureMetric
    pictures: nn.Linear | None
    views: nn.Linear

    @classmethod
    def fresh(
        cls,
        variant: Variant,
        settings: VoiceSettings,
        metric: PictureMetric,
        centre: Tensor,
        *,
        views: int,
        seed: int,
    ) -> _Learner:
        torch.manual_seed(seed)
        encoder = build_narrow(variant, settings.narrow)
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.6 times as fast
        last = _last(encoder)
        pictures = None if settings.paper_weight else nn.Linear(last.in_features, len(metric.offset))
        with torch.no_grad():
            last.bias.copy_(centre)
            if pictures is not None:
                pictures.bias.copy_(metric.components(centre))
        return cls(encoder, metric, pictures, nn.Linear(last.in_features, views))

    def __call__(self, frames: Tensor) -> _Found:
        """From frames [n, time, frequency, channel]."""
        *body, last = self.encoder.children()
        image = frames.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = nn.Sequential(*body)(image)
            views = self.views(hidden).float()
            if self.pictures is not None:
                return _Found(None, self.pictures(hidden).float(), views)
            features = last(hidden).float()
        return _Found(features, self.metric.components(features), views)

    def learn(
        self,
        lessons: Sequence[Lesson],
        loss: Speech2FaceLoss,
        settings: VoiceSettings,
        *,
        seed: int,
        log: Callable[[str], None],
    ) -> None:
        rng = np.random.default_rng(seed)
        steps = max(1, settings.examples // settings.batch)
        trained = nn.ModuleList([self.encoder, self.views, *([self.pictures] if self.pictures else [])])
        optimiser = torch.optim.AdamW(
            trained.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, total_steps=max(2, steps), pct_start=0.15
        )
        each, total = max(1, steps // 10), 0.0
        for step in range(1, steps + 1):
            batch = _batch(lessons, settings, rng)
            found = self(batch.frames)
            error = (found.components - batch.components).square().sum(dim=1).mean()
            if found.features is None:
                term = error
            else:
                published = len(batch.features)
                term = settings.paper_weight * loss(found.features[:published], batch.features)
            if settings.view_weight and batch.views.shape[1]:
                term = term + settings.view_weight * (found.views - batch.views).square().mean()
            optimiser.zero_grad()
            term.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += error.item()
            if step % each == 0:
                log(f"step {step} of {steps}, picture error {total / each:.3f}")
                total = 0.0

    @torch.no_grad()
    def finished(self) -> Network:
        """The encoder, giving the typical feature of the picture that was found.

        The picture's error says nothing of what in a feature does not show in the picture, and there voices
        would stray to where the decoder never saw a face.
        """
        if self.pictures is not None:
            last = _last(self.encoder)
            last.bias.copy_(self.metric.typical(self.pictures.bias))
            last.weight.copy_(self.metric.back_weight @ self.pictures.weight)
        return self.encoder


@dataclass(frozen=True)
class _Found:
    """Features [n, D] where they are trained, components [n, k] and views [n, v]."""

    features: Tensor | None
    components: Tensor
    views: Tensor


def _last(encoder: Network) -> nn.Linear:
    last = encoder.get_submodule("fc2")
    assert isinstance(last, nn.Linear)
    return last


@dataclass(frozen=True)
class _Batch:
    """Frames and their targets; the first examples are published ones, with features."""

    frames: Tensor
    components: Tensor
    views: Tensor
    features: Tensor


def _batch(lessons: Sequence[Lesson], settings: VoiceSettings, rng: np.random.Generator) -> _Batch:
    shares = np.array([lesson.share for lesson in lessons])
    counts = rng.multinomial(settings.batch, shares / shares.sum())
    frames, components, views, features = [], [], [], []
    for lesson, count in zip(lessons, counts, strict=True):
        voices = rng.integers(0, len(lesson.components), count)
        rows = torch.from_numpy(voices)
        if count:
            frames.append(
                lesson.pool.crop(voices, frames=settings.crop_frames, rng=rng, clean=settings.clean)
            )
        components.append(lesson.components[rows])
        views.append(lesson.views[rows])
        if lesson.features is not None:
            features.append(lesson.features[rows])
    return _Batch(mask(torch.cat(frames), rng), torch.cat(components), torch.cat(views), torch.cat(features))


@torch.no_grad()
def voice_feature(encoder: Network, voice: Samples, spec: FrontEndSpec) -> NDArray[np.float32]:
    """The feature of one voice, [D], as the runtime finds it: repeated up to a clip, then framed."""
    if len(voice) < spec.clip_samples:
        voice = tile_clip(voice, clip_samples=spec.clip_samples)
    frames = FrontEnd(spec).frames(voice)
    feature: NDArray[np.float32] = encoder(torch.from_numpy(frames)[None])[0].numpy()
    return feature
