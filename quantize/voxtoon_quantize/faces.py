"""What voices become on the whole way through an encoder and a decoder, for comparing two of either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.face import decoded_face
from voxtoon.golden import avatar_numbers

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon.manifest import Manifest

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Faces:
    """One row per voice, in every array; None where the model has no such thing.

    Attributes
    ----------
    features
        ``[N, D]``.
    images
        ``[N, H, W, 3]``, RGB in [0, 1]: after the warp.
    landmarks
        ``[N, 68, 2]``, in pixels.
    avatars
        ``[N, P]`` parameters at full confidence.
    """

    features: Floats
    images: Floats | None
    landmarks: Floats | None
    avatars: Floats | None


def draw(
    manifest: Manifest, encoder: Session, decoder: Session | None, frames: Iterable[NDArray[Any]]
) -> Faces:
    """Give frames, each a batch of one, to an encoder and, where there is one, to a decoder."""
    features, images, landmarks, avatars = [], [], [], []
    name = manifest.part("encoder").inputs[0].name
    for heard in frames:
        feature = encoder.run({name: heard})["feature"]
        features.append(feature[0])
        if decoder is None:
            continue
        decoded = decoder.run({"feature": feature})
        images.append(decoded_face(feature[0], decoded, manifest.face).image)
        if "landmarks" in decoded:
            landmarks.append(decoded["landmarks"][0])
        if manifest.avatar_statistics is not None:
            numbers = avatar_numbers(decoded, manifest.face, manifest.avatar_statistics)
            avatars.append(np.array(list(numbers.values()), np.float32))
    return Faces(np.stack(features), _stacked(images), _stacked(landmarks), _stacked(avatars))


def _stacked(rows: list[Floats]) -> Floats | None:
    return np.stack(rows) if rows else None
