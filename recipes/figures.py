"""The figures of a trained model on speakers it never heard, from the tables of ``voxtoon evaluate``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.dataset import TARGET, Corpus, shrink
from recipes.face_stage import FaceModel
from recipes.voice_stage import voice_feature
from voxtoon.avatar import AvatarStatistics, avatar_parameters
from voxtoon.avatar.measurement import measure
from voxtoon.front_end import FrontEndSpec
from voxtoon.warp import warp
from voxtoon_export.evaluation.fidelity import fit_components
from voxtoon_export.evaluation.measure import COMPONENTS, LENGTHS_S, FaceSide, Measured
from voxtoon_export.evaluation.tables import all_tables
from voxtoon_export.network import Network

Floats = NDArray[np.float32]


def features_of_voices(
    encoder: Network, corpus: Corpus, spec: FrontEndSpec, *, seconds: float = 6.0
) -> Floats:
    """Features of the untouched voices, cut to so many seconds and tiled as the runtime does, [n, D]."""
    length = round(seconds * spec.sample_rate_hz)
    return np.stack([voice_feature(encoder, voice[:length], spec) for voice in corpus.voices])


@torch.no_grad()
def decode(face: FaceModel, features: Floats) -> tuple[Floats, Floats]:
    """Textures [n, 224, 224, 3] and landmarks [n, 68, 2] of features."""
    decoded = [face.decoder(batch) for batch in torch.split(torch.from_numpy(features), 16)]
    textures: Tensor = torch.cat([texture for texture, _ in decoded])
    landmarks: Tensor = torch.cat([points for _, points in decoded])
    return textures.numpy(), landmarks.numpy()


def avatar_statistics(face: FaceModel, features: Floats) -> AvatarStatistics:
    """Mean and deviation of what the avatar measures on the faces that these features give."""
    textures, landmarks = decode(face, features)
    return AvatarStatistics.of(
        [measure(p, texture, face.mean_landmarks) for p, texture in zip(landmarks, textures, strict=True)]
    )


def figures(
    face: FaceModel,
    encoder: Network,
    training: Corpus,
    held_out: Corpus,
    spec: FrontEndSpec,
    *,
    mean_feature: Floats,
    statistics: AvatarStatistics,
) -> dict[str, Any]:
    """All tables of the paper's kind on the held-out speakers.

    Returns
    -------
    dict
        Table, then row, then column; the fidelity of the decoder alone as ``autoencoded``.
    """
    features = {s: features_of_voices(encoder, held_out, spec, seconds=s) for s in LENGTHS_S}
    textures, landmarks = decode(face, features[LENGTHS_S[-1]])
    components = fit_components(training.small(TARGET), count=COMPONENTS)
    encoded = {name: face.feature(held_out.small(name)).numpy() for name in (TARGET, "face_f2f")}
    autoencoded = {name: decode(face, encoded[name]) for name in encoded}
    published = held_out.small(TARGET)
    measured = Measured(
        speakers=tuple(held_out.speakers),
        published=published,
        drawn=_small_faces(face, textures, landmarks),
        features=features,
        landmarks=landmarks,
        mean_feature=mean_feature,
        avatars=_avatars(face, textures, landmarks, statistics),
        faces=FaceSide(
            encoded[TARGET], encoded["face_f2f"], autoencoded[TARGET][1], autoencoded["face_f2f"][1]
        ),
    )
    tables = {
        table.key: {name: dict(zip(table.columns, row, strict=True)) for name, row in table.rows.items()}
        for table in all_tables(measured, components)
    }
    drawn = _small_faces(face, *autoencoded[TARGET]).reshape(len(published), -1)
    truth = published.reshape(len(published), -1)
    missed = np.square(drawn - truth).sum() / np.square(components.mean - truth).sum()
    tables["fidelity"]["decoder alone"] = {"R2": float(1.0 - missed)}
    return tables


def _small_faces(face: FaceModel, textures: Floats, landmarks: Floats) -> Floats:
    drawn = [
        warp(texture, points, face.mean_landmarks)
        for texture, points in zip(textures, landmarks, strict=True)
    ]
    return shrink(np.stack(drawn))


def _avatars(face: FaceModel, textures: Floats, landmarks: Floats, statistics: AvatarStatistics) -> Floats:
    rows = [
        avatar_parameters(
            landmarks=points,
            texture=texture,
            mean_landmarks=face.mean_landmarks,
            statistics=statistics,
            confidence=1.0,
            confidence_floor=0.0,
        ).numbers()
        for points, texture in zip(landmarks, textures, strict=True)
    ]
    return np.array([list(row.values()) for row in rows], np.float32)
