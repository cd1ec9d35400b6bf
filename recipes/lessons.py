"""What is to be learnt of which voices: the published ones, and many more made of them.

A published face is one noisy sample of what fits its voice. What a teacher expects that never heard the
speaker is the part that generalises; the target is a blend of both. A changed voice belongs to nobody and has
no published face: there the teacher stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.augment import Channel, Samples
from recipes.changed_voices import make_changed_voices
from recipes.dataset import TARGET, Corpus
from recipes.face_stage import FaceModel
from recipes.kernel_teacher import KernelSettings, fit_kernel_teacher, opinion_without_speaker
from recipes.picture_metric import PictureMetric
from recipes.pool import Pool, make_pool
from recipes.speaker_network import SIZE, VIEWS, SpeakerNetwork, describe
from voxtoon.front_end import FrontEndSpec

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LessonSettings:
    """How many voices there are, and what they teach.

    Attributes
    ----------
    versions
        Of each published voice: as it is, and through channels.
    changed
        Voices made of each published one, each as it is and through one channel.
    teacher_share
        Of the teacher's opinion in what a published voice is drawn to.
    published_share
        Of a batch; the rest are changed voices.
    view_components
        Numbers that the speaker network's views are reduced to, as an auxiliary target.
    kernel
        Of the teacher.
    """

    versions: int = 8
    changed: int = 6
    teacher_share: float = 0.5
    published_share: float = 0.35
    view_components: int = 64
    kernel: KernelSettings = field(default_factory=KernelSettings)


@dataclass(frozen=True)
class Lesson:
    """Voices of one kind.

    Attributes
    ----------
    pool
        Their frames.
    components
        Of their pictures, [n, components] (`PictureMetric`).
    views
        What a speaker network hears in them, [n, v]; v is 0 without one.
    features
        v_f of the published faces, [n, D]; None where there is none.
    share
        Of a batch.
    """

    pool: Pool
    components: Tensor
    views: Tensor
    features: Tensor | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Heard:
    """All that voices give without their faces, in arrays that go from one process to another.

    Attributes
    ----------
    published, changed
        Frames of the published voices, and of the voices made of them, as in `Pool`.
    published_views, changed_views
        What the speaker network hears in them, [voices, 3, 256]; of no voices without one.
    """

    published: NDArray[np.float16]
    changed: NDArray[np.float16]
    published_views: Floats
    changed_views: Floats


def hear(
    voices: list[Samples],
    spec: FrontEndSpec,
    network: SpeakerNetwork | None,
    settings: LessonSettings,
    channel: Channel,
    *,
    seed: int,
) -> Heard:
    """Frames of voices and of others made of them, and what a speaker network hears.

    Parameters
    ----------
    voices
        16 kHz samples.
    spec
        Of the front end.
    network
        Without it no voices are made.
    settings, channel, seed
        How.
    """
    pool = make_pool(voices, spec, versions=settings.versions, channel=channel, seed=seed)
    if network is None:
        nothing = np.zeros((0, VIEWS, SIZE), np.float32)
        return Heard(pool.frames.numpy(), pool.frames[:0].numpy(), nothing, nothing)
    views = np.stack([describe(network, voice) for voice in voices])
    changed, changed_views = make_changed_voices(
        voices, spec, network, count=settings.changed, channel=channel, seed=seed
    )
    return Heard(pool.frames.numpy(), changed.frames.numpy(), views, changed_views)


def make_lessons(
    training: Corpus,
    heard: Heard,
    face: FaceModel,
    metric: PictureMetric,
    settings: LessonSettings,
    *,
    seed: int,
) -> list[Lesson]:
    """The published voices and, where a speaker network is the teacher's ear, the changed ones.

    Parameters
    ----------
    training
        Of the speakers to train on, and no others.
    heard
        Of its voices.
    face, metric
        Of the face stage.
    settings, seed
        How.
    """
    published = metric.components_of(training.small(TARGET)).numpy()
    pool, changed = (Pool(torch.from_numpy(frames)) for frames in (heard.published, heard.changed))
    features = face.feature(training.small(TARGET))
    if not len(heard.published_views):
        nothing = torch.zeros(len(training), 0)
        return [Lesson(pool, torch.from_numpy(published), views=nothing, features=features)]
    views, share = heard.published_views, settings.published_share
    expected = opinion_without_speaker(views, published, training.speakers, settings.kernel, seed=seed)
    blended = published + np.float32(settings.teacher_share) * (expected - published)
    opinion = fit_kernel_teacher(views, published, settings.kernel).opinion(heard.changed_views)
    whiten = _whitening(views, settings.view_components)
    return [
        Lesson(pool, torch.from_numpy(blended), views=whiten(views), features=features, share=share),
        Lesson(changed, torch.from_numpy(opinion), views=whiten(heard.changed_views), share=1.0 - share),
    ]


@dataclass(frozen=True)
class _Whitening:
    """Views of voices in their first principal components, the weak ones held back."""

    centre: Floats
    deviation: Floats
    axes: Floats

    def __call__(self, views: Floats) -> Tensor:
        standard = (views - self.centre) / self.deviation
        return torch.from_numpy(standard.reshape(len(views), -1) @ self.axes)


def _whitening(views: Floats, components: int) -> _Whitening:
    centre, deviation = views.mean(axis=0), views.std(axis=0) + 1e-6
    standard = ((views - centre) / deviation).reshape(len(views), -1)
    _, spread, axes = np.linalg.svd(standard, full_matrices=False)
    spread = spread[:components] / len(views) ** 0.5
    return _Whitening(centre, deviation, axes[:components].T / (spread + 0.15 * spread[0]))
