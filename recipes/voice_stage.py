"""The second stage: a voice encoder that finds the face's feature; face encoder and decoder stay fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.augment import Samples
from recipes.loss import Speech2FaceLoss
from recipes.picture_metric import PictureMetric
from recipes.pool import Pool, mask
from voxtoon.front_end import FrontEnd, FrontEndSpec, tile_clip
from voxtoon_export.network import Network, build
from voxtoon_export.systems import Variant


@dataclass(frozen=True)
class VoiceSettings:
    """How a voice encoder is trained.

    Attributes
    ----------
    epochs, batch, learning_rate, weight_decay
        Of AdamW with one cycle of the learning rate.
    crop_frames
        Length of a training example; the encoder needs 259.
    clean
        Share of examples from voices that no channel has touched.
    paper_weight
        Of the paper's loss.
    picture_weight
        Of the squared error of the picture (`PictureMetric`).
    """

    epochs: int = 40
    batch: int = 16
    learning_rate: float = 1.5e-3
    weight_decay: float = 2e-2
    crop_frames: int = 259
    clean: float = 0.4
    paper_weight: float = 3e-4
    picture_weight: float = 1.0


@dataclass(frozen=True)
class VoiceTargets:
    """What a voice's feature is drawn to.

    Attributes
    ----------
    features
        v_f, of the published faces, [n, D].
    components
        Of their pictures, [n or more, components]; voices after the n-th have no published face, only what
        teachers make of them.
    """

    features: Tensor
    components: Tensor


def train_voice_stage(
    pool: Pool,
    targets: VoiceTargets,
    variant: Variant,
    loss: Speech2FaceLoss,
    metric: PictureMetric,
    settings: VoiceSettings,
    *,
    seed: int,
    start: Network | None = None,
    log: Callable[[str], None] = print,
) -> Network:
    """Train the encoder of a variant.

    Parameters
    ----------
    pool
        Frames of the training voices, those without a face last.
    targets
        In the same order.
    variant
        Whose encoder is trained.
    loss, metric
        The two terms, see `VoiceSettings`.
    settings, seed
        How.
    start
        An encoder to train on from, instead of a fresh one.
    log
        Takes one line per tenth of the epochs.

    Returns
    -------
    Network
        In evaluation mode.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = build(variant.parts["encoder"])
    with torch.no_grad():
        encoder.fc2.bias.copy_(targets.features.mean(dim=0))  # type: ignore[union-attr, operator]
    if start is not None:
        encoder.load_state_dict(start.state_dict())
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    count = len(targets.components)
    steps = max(1, count // settings.batch)
    optimiser = torch.optim.AdamW(
        encoder.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(2, steps * settings.epochs), pct_start=0.15
    )
    for epoch in range(settings.epochs):
        total = 0.0
        for voices in np.array_split(rng.permutation(count), steps):
            crops = pool.crop(voices, frames=settings.crop_frames, rng=rng, clean=settings.clean)
            rows = torch.from_numpy(voices)
            known = rows < len(targets.features)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = encoder(mask(crops, rng))
            found = found.float()
            error = (metric.components(found) - targets.components[rows]).square().sum(dim=1).mean()
            term = settings.picture_weight * error
            if known.any():
                term = term + settings.paper_weight * loss(found[known], targets.features[rows[known]])
            optimiser.zero_grad()
            term.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += error.item()
        if (epoch + 1) % max(1, settings.epochs // 10) == 0:
            log(f"voice stage: epoch {epoch + 1} of {settings.epochs}, picture error {total / steps:.3f}")
    if settings.picture_weight:
        _settle(encoder, metric)
    return encoder.eval()


@torch.no_grad()
def _settle(encoder: Network, metric: PictureMetric) -> None:
    """Give each voice the typical feature of its picture, by folding both regressions into the last layer.

    The picture's error says nothing of what in a feature does not show in the picture, and there voices stray
    to where the decoder never saw a face.
    """
    last = encoder.get_submodule("fc2")
    assert isinstance(last, nn.Linear)
    last.bias.copy_(metric.typical(metric.components(last.bias)))
    last.weight.copy_(metric.back_weight @ metric.weight @ last.weight)


@torch.no_grad()
def opinion_of(encoder: Network, pool: Pool, metric: PictureMetric) -> Tensor:
    """What an encoder makes of the untouched voices of a pool, as components of pictures."""
    batches = torch.split(pool.frames[:, 0], 16)
    return torch.cat([metric.components(encoder(batch.float())) for batch in batches])


@torch.no_grad()
def voice_feature(encoder: Network, voice: Samples, spec: FrontEndSpec) -> NDArray[np.float32]:
    """The feature of one voice, [D], as the runtime finds it: repeated up to a clip, then framed."""
    if len(voice) < spec.clip_samples:
        voice = tile_clip(voice, clip_samples=spec.clip_samples)
    frames = FrontEnd(spec).frames(voice)
    feature: NDArray[np.float32] = encoder(torch.from_numpy(frames)[None])[0].numpy()
    return feature
