"""How far quantized parts are from the float ones, in the paper's terms, on voices kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError
from voxtoon_export.evaluation.figures import angles_deg, r2
from voxtoon_export.evaluation.retrieval import cosine_distances, recall

from .faces import Faces
from .pictures import psnr_db, ssim

FLIP: Final = 0.25
"""A parameter of the avatar that moves by an eighth of its range is drawn as another."""
RETRIEVED: Final = 10


@dataclass(frozen=True)
class Quality:
    """Figures of quantized parts against the float ones; None where the model or the data have no such thing.

    Attributes
    ----------
    angle_mean_deg, angle_p95_deg
        Between the features of both.
    psnr_db, ssim
        Between the faces of both, the mean over all voices.
    landmark_shift_px
        Mean distance between the landmarks of both.
    r2_drop
        Loss of R2, at 56 x 56, against the published faces; without any, against the float parts' own.
    avatar_flips
        Share of the avatar's parameters that are drawn as others.
    retrieval_change_points
        Change of the recall, in per cent, of each voice's true face among the ten nearest.
    drift_deg
        Of an encoder on a stream: by how much more it turns features in the last of ten minutes than in the
        first.
    """

    clips: int
    angle_mean_deg: float
    angle_p95_deg: float
    psnr_db: float | None = None
    ssim: float | None = None
    landmark_shift_px: float | None = None
    r2_drop: float | None = None
    avatar_flips: float | None = None
    retrieval_change_points: float | None = None
    drift_deg: float | None = None

    def to_json(self) -> dict[str, float]:
        """Return the figures that there are, by name, as a manifest keeps them."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Truth:
    """What is known of the voices besides: published faces ``[N, 56, 56, 3]``, features of the true faces."""

    faces: NDArray[np.float32] | None = None
    features: NDArray[np.float32] | None = None


def compare(reference: Faces, candidate: Faces, truth: Truth = Truth()) -> Quality:
    """Measure quantized parts.

    Parameters
    ----------
    reference, candidate
        What the float parts and the quantized ones made of the same voices.
    truth
        In the same order.

    Raises
    ------
    CheckError
        A feature or a face of the quantized parts is not finite.
    """
    _check_finite(candidate)
    angles = angles_deg(reference.features, candidate.features)
    if not np.isfinite(angles).all():
        raise CheckError("a quantized feature is zero", hint="the recipe ruins the encoder")
    return Quality(
        clips=len(angles),
        angle_mean_deg=float(angles.mean()),
        angle_p95_deg=float(np.percentile(angles, 95)),
        **_of_images(reference.images, candidate.images, truth.faces),
        landmark_shift_px=_mean_distance(reference.landmarks, candidate.landmarks),
        avatar_flips=_share_of_flips(reference.avatars, candidate.avatars),
        retrieval_change_points=_retrieval_change(reference.features, candidate.features, truth.features),
    )


def _check_finite(faces: Faces) -> None:
    for name in ("features", "images", "landmarks"):
        values = getattr(faces, name)
        if values is not None and not np.isfinite(values).all():
            raise CheckError(f"the quantized {name} hold values that are not finite")


def _of_images(
    reference: NDArray[np.float32] | None,
    candidate: NDArray[np.float32] | None,
    truth: NDArray[np.float32] | None,
) -> Mapping[str, float]:
    if reference is None or candidate is None:
        return {}
    pairs = list(zip(reference, candidate, strict=True))
    small = [_reduced(images, 56) for images in (reference, candidate)]
    wanted = small[0] if truth is None else truth
    before, after = (r2(images, wanted, wanted.mean(axis=0)) for images in small)
    return {
        "psnr_db": float(np.mean([psnr_db(*pair) for pair in pairs])),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
        "r2_drop": before - after,
    }


def _reduced(images: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    block = max(1, images.shape[1] // side_px)
    count, height, width, channels = images.shape
    blocks = images.reshape(count, height // block, block, width // block, block, channels)
    return np.asarray(blocks.mean(axis=(2, 4)), np.float32)


def _mean_distance(
    reference: NDArray[np.float32] | None, candidate: NDArray[np.float32] | None
) -> float | None:
    if reference is None or candidate is None:
        return None
    return float(np.linalg.norm(candidate - reference, axis=-1).mean())


def _share_of_flips(
    reference: NDArray[np.float32] | None, candidate: NDArray[np.float32] | None
) -> float | None:
    if reference is None or candidate is None:
        return None
    return float(np.mean(np.abs(candidate - reference) > FLIP))


def _retrieval_change(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], gallery: NDArray[np.float32] | None
) -> float | None:
    if gallery is None or len(gallery) <= RETRIEVED:
        return None
    centre = gallery.mean(axis=0).astype(np.float64)
    before, after = (
        recall(cosine_distances(features - centre, gallery - centre), RETRIEVED)
        for features in (reference, candidate)
    )
    return 100.0 * (after - before)
