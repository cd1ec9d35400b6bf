"""The first stage: a face feature, and the decoder that draws a face from it.

Face encoder and decoder are trained together as an autoencoder of registered textures and landmarks, with a
classifier of the (anonymous) speakers on the feature, which stands in for the f_VGG of the Speech2Face paper.
The three picture sets of a speaker count as one class, so the feature keeps what they share. As in Cole et
al. (CVPR 2017), part of a batch are morphs of two faces, so that between features lie faces too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recipes.dataset import PICTURE_SETS, SMALL_PX, TARGET, Corpus
from recipes.registration import register
from voxtoon_export.network import Network, build
from voxtoon_export.systems import Variant


@dataclass(frozen=True)
class FaceSettings:
    """How the face stage is trained; weights are those of the terms of its loss."""

    epochs: int = 20
    batch: int = 32
    learning_rate: float = 2e-3
    landmark_weight: float = 0.02
    small_weight: float = 10.0
    speaker_weight: float = 0.002
    size_weight: float = 1e-3
    feature_noise: float = 0.05
    morphs: float = 0.5
    mean_epochs: int = 4
    mean_learning_rate: float = 5e-4


@dataclass
class FaceModel:
    """What the face stage leaves behind, frozen.

    Attributes
    ----------
    encoder, decoder
        The parts.
    classifier
        Feature to speaker logits; training only.
    mean_landmarks
        float32 [68, 2] in pixels, the shape that textures are registered to.
    """

    encoder: Network
    decoder: Network
    classifier: nn.Linear
    mean_landmarks: NDArray[np.float32]

    @torch.no_grad()
    def feature(self, images: NDArray[np.float32]) -> Tensor:
        """Features of 56 x 56 faces, [n, D]."""
        self.encoder.eval()
        return torch.cat([self.encoder(batch) for batch in torch.split(torch.from_numpy(images), 128)])


@dataclass(frozen=True)
class Faces:
    """All pictures of the training speakers, as the face stage needs them."""

    images: Tensor  # [n, 56, 56, 3]
    textures: Tensor  # uint8 [n, 224, 224, 3]
    landmarks: Tensor  # [n, 68, 2]
    speakers: Tensor  # [n]

    def batch(self, rows: Tensor, settings: FaceSettings, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Images, textures and landmarks of these rows, the first of them morphs; speakers of the rest."""
        images, textures, landmarks = (
            self.images[rows],
            self.textures[rows].float() / 255,
            self.landmarks[rows],
        )
        count = int(len(rows) * settings.morphs)
        share = torch.rand(count, generator=generator)
        partners = torch.randperm(len(rows), generator=generator)[:count]
        mixed = [
            torch.cat([torch.lerp(x[:count], x[partners], share.view(-1, *[1] * (x.dim() - 1))), x[count:]])
            for x in (images, textures, landmarks)
        ]
        return (*mixed, self.speakers[rows[count:]])


def train_face_stage(
    corpus: Corpus,
    variant: Variant,
    settings: FaceSettings,
    *,
    seed: int,
    log: Callable[[str], None] = print,
) -> FaceModel:
    """Train face encoder and decoder on all picture sets of a corpus.

    Parameters
    ----------
    corpus
        Of the speakers to train on, and no others.
    variant
        Whose parts are trained.
    settings, seed
        How.
    log
        Takes one line per tenth of the epochs.

    Returns
    -------
    FaceModel
        In evaluation mode, its parameters frozen.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    mean_landmarks = corpus.landmarks[TARGET].mean(axis=0)
    faces = registered_faces(corpus, mean_landmarks)
    encoder, decoder = build(variant.parts["face_encoder"]), build(variant.parts["decoder"])
    classifier = nn.Linear(variant.parts["decoder"].input.shape[1], int(faces.speakers.max()) + 1)  # type: ignore[arg-type]
    deviation = faces.landmarks.sub(torch.from_numpy(mean_landmarks)).std()
    with torch.no_grad():
        decoder.landmarks_affine.offset.copy_(torch.from_numpy(mean_landmarks))  # type: ignore[union-attr, operator]
        decoder.landmarks_affine.scale.fill_(deviation)  # type: ignore[union-attr, operator]
    modules = nn.ModuleList([encoder, decoder, classifier])
    modules.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    steps = len(faces.images) // settings.batch
    optimiser = torch.optim.AdamW(modules.parameters(), lr=settings.learning_rate, weight_decay=1e-3)
    schedule = _one_cycle(optimiser, settings.learning_rate, steps * settings.epochs)
    for epoch in range(settings.epochs):
        total = 0.0
        order = torch.randperm(len(faces.images), generator=generator)
        for rows in torch.split(order[: steps * settings.batch], settings.batch):
            images, textures, landmarks, speakers = faces.batch(rows, settings, generator)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                feature = encoder(images).float()
                noisy = feature + settings.feature_noise * torch.randn(feature.shape, generator=generator)
                drawn = decoder(noisy)
                logits = classifier(feature[-len(speakers) :])
            loss = (
                _drawing_loss(drawn, textures, landmarks, deviation, settings)
                + settings.speaker_weight * functional.cross_entropy(logits.float(), speakers)
                + settings.size_weight * feature.square().mean()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        if (epoch + 1) % max(1, settings.epochs // 10) == 0:
            log(f"face stage: epoch {epoch + 1} of {settings.epochs}, loss {total / steps:.4f}")
    modules.eval().requires_grad_(False)
    face = FaceModel(encoder, decoder, classifier, mean_landmarks)
    straighten_decoder(face, faces, settings, seed=seed, log=log)
    return face


def straighten_decoder(
    face: FaceModel, faces: Faces, settings: FaceSettings, *, seed: int, log: Callable[[str], None] = print
) -> None:
    """Teach the decoder that the mean of several features is the mean of their faces.

    What a voice tells is a mean over many faces that would fit it: a feature that no single face has.

    Parameters
    ----------
    face
        Trained; its decoder is trained on, all else stays.
    faces
        The same as before.
    settings, seed, log
        As in `train_face_stage`.
    """
    decoder = face.decoder.train().requires_grad_(True)
    features = face.feature(faces.images.numpy())
    deviation = faces.landmarks.sub(torch.from_numpy(face.mean_landmarks)).std()
    generator = torch.Generator().manual_seed(seed)
    steps = len(features) // settings.batch
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=settings.mean_learning_rate, weight_decay=1e-3)
    schedule = _one_cycle(optimiser, settings.mean_learning_rate, steps * settings.mean_epochs)
    for epoch in range(settings.mean_epochs):
        total = 0.0
        order = torch.randperm(len(features), generator=generator)
        for rows in torch.split(order[: steps * settings.batch], settings.batch):
            weights = _mean_weights(len(rows), generator)
            textures = torch.einsum("ij,jhwc->ihwc", weights, faces.textures[rows].float() / 255)
            landmarks = torch.einsum("ij,jpc->ipc", weights, faces.landmarks[rows])
            feature = weights @ features[rows]
            noisy = feature + settings.feature_noise * torch.randn(feature.shape, generator=generator)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                drawn = decoder(noisy)
            loss = _drawing_loss(drawn, textures, landmarks, deviation, settings)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += loss.item()
        log(f"decoder on means: epoch {epoch + 1} of {settings.mean_epochs}, loss {total / steps:.4f}")
    decoder.eval().requires_grad_(False)


def _mean_weights(count: int, generator: torch.Generator) -> Tensor:
    """Weights of a batch's faces: for one half means of a few to all of them, for the other single faces."""
    half = count // 2
    sharpness = 1.0 + 8.0 * torch.rand(half, 1, generator=generator)
    weights = torch.rand(half, count, generator=generator) ** sharpness
    return torch.cat([weights / weights.sum(dim=1, keepdim=True), torch.eye(count)[half:]])


def _one_cycle(
    optimiser: torch.optim.Optimizer, learning_rate: float, steps: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    return torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=max(2, steps), pct_start=0.1
    )


def _drawing_loss(
    drawn: tuple[Tensor, Tensor],
    textures: Tensor,
    landmarks: Tensor,
    deviation: Tensor,
    settings: FaceSettings,
) -> Tensor:
    texture, points = drawn[0].float(), drawn[1].float()
    return (
        functional.l1_loss(texture, textures)
        + settings.small_weight * functional.mse_loss(_small(texture), _small(textures))
        + settings.landmark_weight * ((points - landmarks) / deviation).square().mean()
    )


def _small(texture: Tensor) -> Tensor:
    factor = texture.shape[1] // SMALL_PX
    return functional.avg_pool2d(texture.permute(0, 3, 1, 2), factor)


def registered_faces(corpus: Corpus, mean_landmarks: NDArray[np.float32]) -> Faces:
    """Every picture of a corpus, small and registered to the mean shape."""
    names = {speaker: number for number, speaker in enumerate(sorted(set(corpus.speakers)))}
    labels = torch.tensor([names[speaker] for speaker in corpus.speakers])
    textures = [
        register(corpus.pictures[name], corpus.landmarks[name], mean_landmarks) for name in PICTURE_SETS
    ]
    return Faces(
        images=torch.from_numpy(np.concatenate([corpus.small(name) for name in PICTURE_SETS])),
        textures=torch.from_numpy(np.concatenate(textures)),
        landmarks=torch.from_numpy(np.concatenate([corpus.landmarks[name] for name in PICTURE_SETS])),
        speakers=labels.repeat(len(PICTURE_SETS)),
    )
