"""What a checkpoint says of itself, as the pieces of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxtoon import manifest
from voxtoon.confidence import DESCRIPTOR
from voxtoon.errors import InputError
from voxtoon.golden import WARPED

if TYPE_CHECKING:
    from voxtoon.front_end_spec import FrontEndSpec
    from voxtoon_export.checkpoint import Array, Checkpoint
    from voxtoon_export.parts import PartSpec, TensorSpec

IMAGE_SIZE_PX = 224
WARP = manifest.Warp(order=1, regularisation=0.1, boundary_points_per_edge=1)
LANDMARKS = 68


def part_entry(part: PartSpec, front_end: FrontEndSpec, *, licence: str) -> manifest.Part:
    """Return the manifest's entry of a part."""
    frames = front_end.frame_count(front_end.clip_samples) if part.has_time else None
    return manifest.Part(
        name=part.name,
        inputs=tuple(tensor_entry(item) for item in part.inputs),
        outputs=tuple(tensor_entry(item) for item in part.outputs),
        parameters=part.parameters,
        licence=licence,
        role="evaluation" if part.role == "evaluation" else "runtime",
        minimum_frames=part.minimum_frames if part.has_time else None,
        macs_per_clip=part.macs(frames=frames),
    )


def tensor_entry(tensor: TensorSpec) -> manifest.TensorSpec:
    """Return the manifest's entry of an input or output."""
    return manifest.TensorSpec(tensor.name, tensor.shape, "float32", tensor.axes)


def face_entry(checkpoint: Checkpoint) -> manifest.FaceShape:
    """Return the mean face of a checkpoint.

    Raises
    ------
    InputError
        It has a decoder, and no mean landmarks to warp from.
    """
    statistics = checkpoint.statistics
    if "mean_landmarks" in statistics:
        landmarks = statistics["mean_landmarks"]
    elif "decoder" in checkpoint.tensors and _is_warped(checkpoint.variant.parts["decoder"]):
        raise InputError(
            "the checkpoint has a decoder, and no mean landmarks for the warp to start from",
            got=", ".join(statistics) or "no statistics",
            hint="store statistics.mean_landmarks [68, 2] in it, or export the encoder alone",
        )
    else:
        landmarks = np.zeros((LANDMARKS, 2), np.float32)  # nothing is decoded, and nothing warped
    return manifest.FaceShape(
        image_size_px=IMAGE_SIZE_PX,
        topology="ibug68",
        mean_landmarks=tuple((float(x), float(y)) for x, y in landmarks),
        warp=WARP,
        mean_feature=_vector(statistics.get("mean_feature")),
        feature_std=_vector(statistics.get("feature_std")),
    )


def domain_entry(checkpoint: Checkpoint) -> manifest.Domain | None:
    """Return where the training voices lay; None where the checkpoint does not say."""
    statistics = checkpoint.statistics
    if not {"domain_mean", "domain_whitener", "domain_distances"} <= statistics.keys():
        return None
    p50, p99 = (float(value) for value in statistics["domain_distances"])
    return manifest.Domain(
        descriptor=DESCRIPTOR,
        mean=tuple(statistics["domain_mean"].tolist()),
        whitener=tuple(tuple(row) for row in statistics["domain_whitener"].tolist()),
        distance_p50=p50,
        distance_p99=p99,
    )


def avatar_statistics_entry(checkpoint: Checkpoint) -> manifest.AvatarStatistics | None:
    """Return mean and deviation of what the avatar measures; None where the checkpoint does not say."""
    found = checkpoint.avatar_statistics
    return None if found is None else manifest.AvatarStatistics(mean=found["mean"], std=found["std"])


def _is_warped(decoder: PartSpec) -> bool:
    return {output.name for output in decoder.outputs} >= WARPED


def _vector(array: Array | None) -> manifest.Vector | None:
    return None if array is None else tuple(array.tolist())
