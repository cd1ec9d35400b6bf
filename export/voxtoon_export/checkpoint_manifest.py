"""What a checkpoint says of itself, as the pieces of a manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from voxtoon import manifest
from voxtoon.avatar import MEASUREMENTS, AvatarStatistics
from voxtoon.confidence import DESCRIPTOR
from voxtoon.errors import InputError
from voxtoon_export.lowering import About
from voxtoon_export.model_card import declaration_of

if TYPE_CHECKING:
    from voxtoon.front_end_spec import FrontEndSpec
    from voxtoon_export.checkpoint import Array, Checkpoint
    from voxtoon_export.parts import PartSpec, TensorSpec

IMAGE_SIZE_PX = 224
WARP = manifest.Warp(order=1, regularisation=0.1, boundary_points_per_edge=1)


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


def about(checkpoint: Checkpoint, part: str) -> About:
    """Return what an artefact tells of itself, for who finds it without its bundle."""
    variant, declared = checkpoint.variant, declaration_of(checkpoint.model_card)
    return About(
        author=str(checkpoint.model_card.get("author") or "not stated"),
        licence=declared.licence,
        description=f"{variant.name}, {part}. {declared.intended_use}",
        metadata={
            "voxtoon.system": variant.system,
            "voxtoon.variant": variant.name,
            "voxtoon.part": part,
            "voxtoon.front_end": json.dumps(variant.front_end.to_json()),
        },
    )


def face_entry(checkpoint: Checkpoint) -> manifest.FaceShape:
    """Return what the manifest says of a checkpoint's faces.

    Raises
    ------
    InputError
        It has a decoder that gives landmarks and a texture, and no mean landmarks to warp from.
    """
    statistics, picture = checkpoint.statistics, checkpoint.variant.picture
    shape = manifest.FaceShape(
        image_size_px=IMAGE_SIZE_PX,
        mean_feature=_vector(statistics.get("mean_feature")),
        feature_std=_vector(statistics.get("feature_std")),
    )
    if picture is not None:
        head = manifest.Head(picture.left, picture.right, picture.brows, picture.chin)
        return replace(shape, image_size_px=picture.size_px, head=head)
    if "mean_landmarks" in statistics:
        mean_landmarks = tuple((float(x), float(y)) for x, y in statistics["mean_landmarks"])
        return replace(shape, topology="ibug68", mean_landmarks=mean_landmarks, warp=WARP)
    if "decoder" in checkpoint.tensors:
        raise InputError(
            "the checkpoint has a decoder, and no mean landmarks for the warp to start from",
            got=", ".join(statistics) or "no statistics",
            hint="store statistics.mean_landmarks [68, 2] in it, or export the encoder alone",
        )
    return shape


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
    """Return mean and deviation of what the avatar measures; None where nobody says.

    Those that a system declares for its pictures stand in for a checkpoint's own. What they leave out does
    not vary: its deviation is 0, which keeps the avatar's parameter neutral. No other deviation is smaller
    than what can be seen.
    """
    found, picture = checkpoint.avatar_statistics, checkpoint.variant.picture
    if found is not None:
        statistics = AvatarStatistics.from_json(found)
    elif picture is not None:
        declared = {name: picture.statistics.get(name, (0.0, 0.0)) for name in MEASUREMENTS}
        statistics = AvatarStatistics(
            mean={name: mean for name, (mean, _) in declared.items()},
            std={name: std for name, (_, std) in declared.items()},
        )
    else:
        return None
    seen = statistics.with_least_std()
    return manifest.AvatarStatistics(mean=seen.mean, std=seen.std)


def _vector(array: Array | None) -> manifest.Vector | None:
    return None if array is None else tuple(array.tolist())
