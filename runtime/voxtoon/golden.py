"""The golden arrays of a bundle: a voice, and what torch made of it on the whole way to the avatar.

Names in the manifest: ``audio`` (int16, 16 kHz), ``frames``, ``<part>.<output>`` for every part, ``image``
(the face, after the warp where there is one, at a quarter of its size) and ``avatar`` (its parameters, JSON).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

if TYPE_CHECKING:
    from voxtoon.avatar import AvatarParameters
    from voxtoon.bundle import Bundle
    from voxtoon.face import Face
    from voxtoon.front_end_spec import FrontEndSpec
    from voxtoon.manifest import AvatarStatistics, FaceShape, Part

Array = NDArray[Any]

MAXIMUM_VALUES: Final = 16384
FULL_SCALE: Final = 32768
IMAGE_REDUCTION: Final = 4
DRAWING: Final = "drawing"
"""What the golden avatar is written with; no file of a bundle, since its parameters tell it."""


def kept_values(array: Array) -> Array:
    """Return what a bundle keeps of an array: up to 16384 values all, of more every k-th in C order."""
    step = -(-array.size // MAXIMUM_VALUES)
    return array if step == 1 else array.ravel()[::step]


def frames_of(samples: NDArray[np.float32], spec: FrontEndSpec) -> NDArray[np.float32]:
    """Return the encoder's input for a clip at the front end's rate: tiled or cut, a batch of one."""
    from voxtoon.front_end import clip_front_end, tile_clip

    return clip_front_end(spec).frames(tile_clip(samples, clip_samples=spec.clip_samples))[None]


def small_image(decoded: Mapping[str, Array], shape: FaceShape) -> NDArray[np.float32]:
    """Reduce the face of a decoder's outputs (batches of one): each pixel the mean of 4 x 4.

    Returns
    -------
    [1, H / 4, W / 4, 3]

    Raises
    ------
    CheckError
        The outputs make no face.
    """
    image = _face(decoded, shape).image
    height, width, channels = image.shape
    blocks = image.reshape(
        height // IMAGE_REDUCTION, IMAGE_REDUCTION, width // IMAGE_REDUCTION, IMAGE_REDUCTION, channels
    )
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64)[None], np.float32)


def avatar_numbers(
    decoded: Mapping[str, Array], shape: FaceShape, statistics: AvatarStatistics
) -> dict[str, float]:
    """Return the avatar parameters of a decoder's outputs (batches of one), at full confidence."""
    from voxtoon import avatar

    known = avatar.AvatarStatistics(mean=statistics.mean, std=statistics.std)
    return avatar.face_parameters(_face(decoded, shape), statistics=known).numbers()


def _face(decoded: Mapping[str, Array], shape: FaceShape) -> Face:
    from voxtoon.face import decoded_face

    return decoded_face(np.empty(0, np.float32), decoded, shape)


class Golden:
    """The golden arrays of a bundle, read when asked for.

    Attributes
    ----------
    audio : [N]
        float32 samples.
    frames : [1, time, ...]
        What the front end makes of them here and now.

    Raises
    ------
    CheckError
        The bundle has no golden audio, or not of the right kind.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        audio = self.array("audio")
        if audio.dtype != np.int16 or audio.ndim != 1 or not audio.size:
            raise CheckError(
                "the golden audio", got=f"{audio.dtype} {list(audio.shape)}", expected="int16 [N]"
            )
        self.audio = audio.astype(np.float32) / np.float32(FULL_SCALE)
        self.frames = frames_of(self.audio, bundle.manifest.front_end)

    def array(self, name: str) -> Array:
        """Return a golden array by name.

        Raises
        ------
        CheckError
            The bundle has none of that name, or its file holds something else.
        """
        if name == DRAWING:
            from voxtoon.avatar.written import written_numbers

            return written_numbers(self._avatar())
        file = self._bundle.manifest.golden.get(name)
        if file is None:
            raise CheckError(f"it cannot be checked: the bundle has no golden {name}", hint="export it again")
        content = self._bundle.read(file)
        try:
            if file.endswith(".json"):
                return np.array(list(_numbers(json.loads(content)).values()), np.float64)
            found: Array = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, TypeError, AttributeError, EOFError) as error:
            raise CheckError(f"the golden {name} cannot be read", got=file, hint="export it again") from error
        return found

    def written_like(self, numbers: Mapping[str, float]) -> Array:
        """Return what an avatar of these parameters is written with, ties decided as in the golden one."""
        from voxtoon.avatar import AvatarParameters
        from voxtoon.avatar.written import written_numbers

        return written_numbers(AvatarParameters.from_json(numbers), reference=self._avatar())

    def _avatar(self) -> AvatarParameters:
        from voxtoon.avatar import MEASUREMENTS, AvatarParameters

        found = self.array("avatar")
        if found.shape != (len(MEASUREMENTS),):
            raise CheckError("the golden avatar", got=found.shape, expected=f"{len(MEASUREMENTS)} parameters")
        return AvatarParameters.from_json(dict(zip(sorted(MEASUREMENTS), map(float, found), strict=True)))

    def inputs(self, part: Part) -> Mapping[str, Array]:
        """Return what a part is run on: the frames made here, and otherwise what torch made."""
        return {item.name: self._input(item.name) for item in part.inputs}

    def _input(self, name: str) -> Array:
        if name == "frames":
            return self.frames
        return self.array("encoder.feature" if name == "feature" else name)


def _numbers(found: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in sorted(found.items())}
