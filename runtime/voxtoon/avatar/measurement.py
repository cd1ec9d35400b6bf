"""What is measured on a face before it is drawn: ratios of landmarks, and the hair in texture or picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxtoon.errors import InputError

Floats = NDArray[np.float64]

SHAPE_MEASUREMENTS = (
    "face_width",
    "jaw_width",
    "chin_width",
    "chin_length",
    "nose_width",
    "nose_length",
    "mouth_width",
    "upper_lip",
    "lower_lip",
    "eye_distance",
    "eye_size",
    "brow_height",
    "brow_arch",
    "brow_weight",
)
HAIR_MEASUREMENTS = (
    "hair_length",
    "hair_volume",
    "hair_flare",
    "hairline",
    "hair_part",
    "hair_lightness",
    "hair_warmth",
)
MEASUREMENTS = SHAPE_MEASUREMENTS + HAIR_MEASUREMENTS

_LUMA = np.array([0.299, 0.587, 0.114])
_BACKGROUND_LUMA = 0.95  # the faces stand before white; what is 0.25 darker is certainly not background
_LUMA_RANGE = 0.25
_CROWN = {"half": 0.3, "top": -0.58, "low": -0.4}
_COLOUR_RANGE = 0.35  # in a picture of any background, hair is what is at most so far from the crown's colour


class HeadLike(Protocol):
    """Where the head is in a picture, as shares of its side."""

    @property
    def left(self) -> float:
        """The side of the head at the left of the picture."""

    @property
    def right(self) -> float:
        """The other side."""

    @property
    def brows(self) -> float:
        """The height of the brows."""

    @property
    def chin(self) -> float:
        """The height of the chin."""


def measure(landmarks: ArrayLike, texture: ArrayLike, mean_landmarks: ArrayLike) -> dict[str, float]:
    """Measure a face.

    Parameters
    ----------
    landmarks : array_like [shape=(68, 2)]
        (x, y) of the face in pixels, iBUG order. Position, size and roll do not matter.
    texture : array_like [shape=(H, W, 3)]
        RGB in [0, 1], registered to `mean_landmarks`, on a white background.
    mean_landmarks : array_like [shape=(68, 2)]
        The shape that the texture is registered to, in pixels of the texture.

    Returns
    -------
    dict[str, float]
        A number without a unit for every name in `MEASUREMENTS`, in that order, as defined in
        `docs/avatar.md`.

    Raises
    ------
    InputError
        When an array has another shape, holds a value that is not finite, or the landmarks are no face.
    """
    mean = _points("mean_landmarks", mean_landmarks)
    image = _image(texture)
    shape = _align(_points("landmarks", landmarks), mean)
    luma = image @ _LUMA
    cover = np.clip((_BACKGROUND_LUMA - luma) / _LUMA_RANGE, 0, 1)  # 0 on the white background, 1 on the head
    frame = _HeadFrame.of(mean)
    found = _measure_shape(shape) | _measure_brows(luma, mean, frame) | _measure_hair(image, cover, frame)
    return {name: float(found[name]) for name in MEASUREMENTS}


def measure_picture(picture: ArrayLike, head: HeadLike) -> dict[str, float]:
    """Measure the hair in a picture of a face without landmarks, before any background.

    Parameters
    ----------
    picture : array_like [shape=(H, W, 3)]
        RGB in [0, 1].
    head
        Where the head is.

    Returns
    -------
    dict[str, float]
        A number without a unit for every name in `HAIR_MEASUREMENTS`, in that order, see `docs/avatar.md`.

    Raises
    ------
    InputError
        When the picture has another shape or holds a value that is not finite.
    """
    image = _image(picture)
    frame = _HeadFrame.in_picture(head, image)
    crown = np.median(frame.middle(image, **_CROWN).reshape(-1, 3), axis=0)
    cover = 1 - np.clip(np.linalg.norm(image - crown, axis=2) / _COLOUR_RANGE, 0, 1)
    found = _measure_hair(image, cover, frame)
    return {name: float(found[name]) for name in HAIR_MEASUREMENTS}


def cheek_colour(texture: ArrayLike, mean_landmarks: ArrayLike) -> str:
    """Median colour of both cheeks as ``#RRGGBB`` (arguments as in `measure`)."""
    mean = _points("mean_landmarks", mean_landmarks)
    image = _image(texture)
    nose_y, mouth_y = mean[33, 1], mean[48:60, 1].mean()
    left = _box(image, x=(mean[36, 0], mean[48, 0]), y=(nose_y, mouth_y))
    right = _box(image, x=(mean[54, 0], mean[45, 0]), y=(nose_y, mouth_y))
    return _median_colour(left, right)


def cheek_colour_of_picture(picture: ArrayLike, head: HeadLike) -> str:
    """Median colour of both cheeks as ``#RRGGBB`` (arguments as in `measure_picture`)."""
    image = _image(picture)
    frame = _HeadFrame.in_picture(head, image)
    return _median_colour(*frame.boxes_beside(image, near=-0.32, far=-0.18, top=0.5, low=0.7))


def _median_colour(*boxes: Floats) -> str:
    colour = np.median(np.concatenate([box.reshape(-1, 3) for box in boxes]), axis=0)
    return "#" + "".join(f"{round(255 * float(np.clip(channel, 0, 1))):02X}" for channel in colour)


def _points(name: str, values: ArrayLike) -> Floats:
    points = np.asarray(values, dtype=np.float64)
    if points.shape != (68, 2):
        raise InputError(f"{name} has the wrong shape", got=points.shape, expected="(68, 2)")
    if not np.isfinite(points).all():
        raise InputError(f"{name} holds a value that is not finite")
    return points


def _image(values: ArrayLike) -> Floats:
    image = np.asarray(values, dtype=np.float64)
    if image.ndim != 3 or image.shape[2] != 3:
        raise InputError("texture has the wrong shape", got=image.shape, expected="(height, width, 3)")
    if not np.isfinite(image).all():
        raise InputError("texture holds a value that is not finite")
    return image


def _align(points: Floats, mean: Floats) -> Floats:
    """Move, turn and scale `points` onto `mean` with the least squared distance (ordinary Procrustes)."""
    centred, target = points - points.mean(axis=0), mean - mean.mean(axis=0)
    u, s, vt = np.linalg.svd(centred.T @ target)
    flip = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    spread = float((centred**2).sum())
    if spread == 0:
        raise InputError("landmarks all lie in one point")
    scale = float((s * flip).sum()) / spread
    aligned: Floats = scale * centred @ (u * flip) @ vt + mean.mean(axis=0)
    return aligned


def _measure_shape(p: Floats) -> dict[str, float]:
    """Ratios of the aligned landmarks: widths over face width, heights over face height."""

    def across(a: int, b: int) -> float:
        return float(p[b, 0] - p[a, 0])

    width = across(1, 15)
    eyes_y = p[36:48, 1].mean()
    height = p[8, 1] - eyes_y
    if width <= 0 or height <= 0:
        raise InputError(
            "landmarks are no upright face", hint="68 points in iBUG order, x to the right, y down"
        )
    left_eye, right_eye = p[36:42].mean(axis=0), p[42:48].mean(axis=0)
    eye_opening = (p[[40, 41, 46, 47], 1] - p[[38, 37, 44, 43], 1]).mean()
    brow_ends_y = p[[17, 21, 22, 26], 1].mean()
    return {
        "face_width": width / height,
        "jaw_width": across(4, 12) / width,
        "chin_width": across(6, 10) / width,
        "chin_length": (p[8, 1] - p[57, 1]) / height,
        "nose_width": across(31, 35) / width,
        "nose_length": (p[33, 1] - eyes_y) / height,
        "mouth_width": across(48, 54) / width,
        "upper_lip": (p[61:64, 1] - p[50:53, 1]).mean() / height,
        "lower_lip": (p[56:59, 1] - p[65:68, 1]).mean() / height,
        "eye_distance": (right_eye[0] - left_eye[0]) / width,
        "eye_size": (across(36, 39) + across(42, 45) + 2 * eye_opening) / width,
        "brow_height": (eyes_y - p[17:27, 1].mean()) / height,
        "brow_arch": (brow_ends_y - p[[18, 19, 20, 23, 24, 25], 1].mean()) / height,
    }


def _measure_brows(luma: Floats, mean: Floats, frame: _HeadFrame) -> dict[str, float]:
    brows = mean[[18, 19, 20, 23, 24, 25]]
    brow = _sample(luma, brows + np.array([0, 0.05 * frame.height]))  # landmarks lie on the upper edge
    above = _sample(luma, brows - np.array([0, 0.1 * frame.height]))
    return {"brow_weight": float((above - brow).mean()) / max(_skin(luma, frame), 0.1)}


def _skin(luma: Floats, frame: _HeadFrame) -> float:
    return float(np.median(frame.middle(luma, half=0.15, top=-0.25, low=-0.1)))


def _measure_hair(image: Floats, cover: Floats, frame: _HeadFrame) -> dict[str, float]:
    """Hair, read in boxes of the frame; ``cover`` is 1 where head or hair is, 0 on the background."""
    luma = image @ _LUMA
    skin = _skin(luma, frame)
    # An empty crown has a colour too: the background's.
    weights = frame.middle(cover, **_CROWN).ravel() + 1e-6
    hair_rgb = np.average(frame.middle(image, **_CROWN).reshape(-1, 3), axis=0, weights=weights)
    hair = float(hair_rgb @ _LUMA)
    contrast = max(skin - hair, 0.08)  # faint hair (grey or blurred) would divide by nothing
    forehead = frame.middle(luma, half=0.35, top=-0.5, low=-0.15)
    low = sum(frame.beside(cover, near=0.15, far=0.4, top=0.7, low=1.0))
    high = sum(frame.beside(cover, near=0.0, far=0.25, top=0.0, low=0.3))
    part_left, part_right = frame.beside(luma, near=-0.35, far=-0.1, top=-0.5, low=-0.2)
    return {
        "hair_length": sum(frame.beside(cover, near=0.03, far=0.3, top=0.45, low=1.0)) / 2,
        "hair_volume": sum(frame.beside(cover, near=-0.2, far=0.15, top=-0.65, low=-0.1)) / 2,
        "hair_flare": (low - high) / 2,
        "hairline": float(np.clip((forehead - hair) / contrast, 0, 1).mean()),
        "hair_part": part_right - part_left,
        "hair_lightness": hair,
        "hair_warmth": float(hair_rgb[0] - hair_rgb[2]) / max(hair, 0.1),
    }


@dataclass(frozen=True)
class _HeadFrame:
    """Places on the mean shape: x in face widths, y in face heights from the brows (0) to the chin (1)."""

    left: float
    right: float
    middle_x: float
    brow_y: float
    height: float

    @classmethod
    def of(cls, mean: Floats) -> _HeadFrame:
        brow_y = float(mean[17:27, 1].mean())
        return cls(
            left=float(mean[:17, 0].min()),
            right=float(mean[:17, 0].max()),
            middle_x=float(mean[27:31, 0].mean()),
            brow_y=brow_y,
            height=float(mean[8, 1]) - brow_y,
        )

    @classmethod
    def in_picture(cls, head: HeadLike, picture: Floats) -> _HeadFrame:
        rows, columns = picture.shape[:2]
        left, right, brow_y = head.left * columns, head.right * columns, head.brows * rows
        return cls(left, right, (left + right) / 2, brow_y, head.chin * rows - brow_y)

    def _rows(self, top: float, low: float) -> tuple[float, float]:
        return self.brow_y + top * self.height, self.brow_y + low * self.height

    def middle(self, plane: Floats, *, half: float, top: float, low: float) -> Floats:
        """Pixels of a box about the middle, `half` a width to either side."""
        reach = half * (self.right - self.left)
        return _box(plane, x=(self.middle_x - reach, self.middle_x + reach), y=self._rows(top, low))

    def beside(
        self, plane: Floats, *, near: float, far: float, top: float, low: float
    ) -> tuple[float, float]:
        """Means of two boxes left and right of the face, from `near` to `far` widths outside its edge."""
        one, other = self.boxes_beside(plane, near=near, far=far, top=top, low=low)
        return float(one.mean()), float(other.mean())

    def boxes_beside(
        self, plane: Floats, *, near: float, far: float, top: float, low: float
    ) -> tuple[Floats, Floats]:
        width, y = self.right - self.left, self._rows(top, low)
        one = _box(plane, x=(self.left - far * width, self.left - near * width), y=y)
        other = _box(plane, x=(self.right + near * width, self.right + far * width), y=y)
        return one, other


def _box(plane: Floats, *, x: tuple[float, float], y: tuple[float, float]) -> Floats:
    """Pixels of a box, cut to the image; never empty."""
    rows, columns = plane.shape[:2]
    x0 = min(max(round(x[0]), 0), columns - 1)
    y0 = min(max(round(y[0]), 0), rows - 1)
    return plane[y0 : max(round(y[1]), y0 + 1), x0 : max(round(x[1]), x0 + 1)]


def _sample(plane: Floats, points: Floats) -> Floats:
    """Nearest pixels of a plane."""
    rows, columns = plane.shape
    at = np.rint(points).astype(int)
    nearest: Floats = plane[np.clip(at[:, 1], 0, rows - 1), np.clip(at[:, 0], 0, columns - 1)]
    return nearest
