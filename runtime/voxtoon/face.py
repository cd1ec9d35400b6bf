"""A face: what the pipeline makes of a voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .confidence import CONFIDENCE_FLOOR, Reason
from .errors import CheckError
from .warp import warp

if TYPE_CHECKING:
    from .avatar import AvatarStatistics
    from .manifest import FaceShape, Head

Geometry = Literal["reconstructed", "neutral"]
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """A reconstruction: an average-looking face that fits a voice, never a likeness of a person.

    A decoder gives either landmarks with a texture, or the picture itself; what it does not give is None.

    Attributes
    ----------
    feature
        What the encoder made of the voice, exaggerated if asked, [D].
    landmarks, mean_landmarks
        68 points in iBUG order, (x, y) in pixels, [68, 2]: of this face, and of the mean shape.
    texture
        The face registered to the mean shape, [H, W, 3], RGB in [0, 1].
    picture
        The face as it was drawn, [H, W, 3], RGB in [0, 1].
    head
        Where the head is in most such pictures, where the bundle knows.
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

    feature: Array
    landmarks: Array | None = None
    texture: Array | None = None
    mean_landmarks: Array | None = None
    picture: Array | None = None
    head: Head | None = None
    confidence: float = 1.0
    confidence_floor: float = CONFIDENCE_FLOOR
    reason: Reason = "ok"
    speech_s: float = 0.0
    narrowband: bool = False
    avatar_statistics: AvatarStatistics | None = None
    warp_regularisation: float = 0.1
    warp_boundary_points_per_edge: int = 1

    @property
    def geometry(self) -> Geometry:
        """``neutral`` where there are no landmarks: the avatar has nobody's features then."""
        return "neutral" if self.landmarks is None else "reconstructed"

    @cached_property
    def image(self) -> Array:
        """The picture, or the texture warped to the landmarks: [H, W, 3], RGB in [0, 1]."""
        if self.picture is not None:
            return self.picture
        assert self.texture is not None
        assert self.landmarks is not None
        assert self.mean_landmarks is not None
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
            "geometry": self.geometry,
            "landmarks": None
            if self.landmarks is None
            else [[round(float(value), 2) for value in point] for point in self.landmarks],
        }


def decoded_face(feature: Array, outputs: Mapping[str, Array], shape: FaceShape) -> Face:
    """The face of a decoder's outputs, taken at their word: confidence 1.

    Parameters
    ----------
    feature
        What was decoded, [D].
    outputs
        Batches of one: ``image``, or ``landmarks`` and ``texture``.
    shape
        The manifest's.

    Raises
    ------
    CheckError
        When they are neither, or the manifest does not tell what the landmarks need.
    """
    if "image" in outputs:
        return Face(feature, picture=outputs["image"][0], head=shape.head)
    if not {"landmarks", "texture"} <= outputs.keys() or shape.mean_landmarks is None or shape.warp is None:
        expected = "image, or landmarks and texture with their mean shape and warp"
        raise CheckError("the decoder makes no face", got=", ".join(outputs), expected=expected)
    return Face(
        feature,
        landmarks=outputs["landmarks"][0],
        texture=outputs["texture"][0],
        mean_landmarks=np.array(shape.mean_landmarks, np.float32),
        warp_regularisation=shape.warp.regularisation,
        warp_boundary_points_per_edge=shape.warp.boundary_points_per_edge,
    )
