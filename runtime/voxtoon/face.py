"""A face: what the pipeline makes of a voice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .confidence import CONFIDENCE_FLOOR, Reason
from .warp import warp

if TYPE_CHECKING:
    from .avatar import AvatarStatistics


@dataclass(frozen=True, eq=False)
class Face:
    """A reconstruction: an average-looking face that fits a voice, never a likeness of a person.

    Attributes
    ----------
    feature
        What the encoder made of the voice, exaggerated if asked, [D].
    landmarks, mean_landmarks
        68 points in iBUG order, (x, y) in pixels, [68, 2]: of this face, and of the mean shape.
    texture
        The face registered to the mean shape, [H, W, 3], RGB in [0, 1].
    confidence
        From 0 to 1, see `voxtoon.confidence`.
    confidence_floor
        Below this the avatar is the neutral one.
    reason
        ``ok``, or why the confidence is below the floor.
    speech_s
        Seconds of speech that were heard.
    narrowband
        Whether the voice came through a telephone line.
    avatar_statistics
        What the avatar's measurements are over the training faces; None where the bundle does not know.
    warp_regularisation, warp_boundary_points_per_edge
        Of the warp that makes the image.
    """

    feature: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    texture: NDArray[np.float32]
    mean_landmarks: NDArray[np.float32]
    confidence: float = 1.0
    confidence_floor: float = CONFIDENCE_FLOOR
    reason: Reason = "ok"
    speech_s: float = 0.0
    narrowband: bool = False
    avatar_statistics: AvatarStatistics | None = None
    warp_regularisation: float = 0.1
    warp_boundary_points_per_edge: int = 1

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """The texture warped to the landmarks, [H, W, 3], RGB in [0, 1]."""
        return warp(
            self.texture,
            self.landmarks,
            self.mean_landmarks,
            regularisation=self.warp_regularisation,
            boundary_points_per_edge=self.warp_boundary_points_per_edge,
        )

    @property
    def is_confident(self) -> bool:
        """Whether the confidence reaches the floor."""
        return self.confidence >= self.confidence_floor

    def to_json(self) -> dict[str, Any]:
        """What a program wants to know of a face, without its arrays of pixels."""
        return {
            "confidence": round(self.confidence, 4),
            "confidence_floor": self.confidence_floor,
            "reason": self.reason,
            "speech_s": round(self.speech_s, 3),
            "narrowband": self.narrowband,
            "landmarks": [[round(float(value), 2) for value in point] for point in self.landmarks],
        }
