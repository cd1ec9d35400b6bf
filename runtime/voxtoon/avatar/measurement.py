"""What is measured on a face before it is drawn: scale-free ratios of landmarks, and the hair in the texture."""

from __future__ import annotations

from typing import Any

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
HAIR_MEASUREMENTS = ("hair_length", "hair_volume", "hairline", "hair_part", "hair_lightness", "hair_warmth")
MEASUREMENTS = SHAPE_MEASUREMENTS + HAIR_MEASUREMENTS

_LUMA = np.array([0.299, 0.587, 0.114])
_BACKGROUND_LUMA = 0.95  # the faces stand before white; what is 0.25 darker is certainly not background
_LUMA_RANGE = 0.25


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
        One number without a unit for every name in `MEASUREMENTS`, in that order; `docs/avatar.md` defines each.

    Raises
    ------
    InputError
        When an array has another shape or holds a value that is not finite.
    """
    mean = _points("mean_landmarks", mean_landmarks)
    image = _image(texture)
    shape = _align(_points("landmarks", landmarks), mean)
    found = _measure_shape(shape) | _measure_texture(image, mean)
    return {name: float(found[name]) for name in MEASUREMENTS}


def cheek_colour(texture: ArrayLike, mean_landmarks: ArrayLike) -> str:
    """Median colour of both cheeks as ``#RRGGBB`` (arguments as in `measure`)."""
    mean = _points("mean_landmarks", mean_landmarks)
    image = _image(texture)
    nose_y, mouth_y = mean[33, 1], mean[48:60, 1].mean()
    left = _box(image, x=(mean[36, 0], mean[48, 0]), y=(nose_y, mouth_y))
    right = _box(image, x=(mean[54, 0], mean[45, 0]), y=(nose_y, mouth_y))
    colour = np.median(np.concatenate([left.reshape(-1, 3), right.reshape(-1, 3)]), axis=0)
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
    return scale * centred @ (u * flip) @ vt + mean.mean(axis=0)


def _measure_shape(p: Floats) -> dict[str, float]:
    """Ratios of the aligned landmarks: widths over face width, heights over face height."""

    def across(a: int, b: int) -> float:
        return float(p[b, 0] - p[a, 0])

    width = across(1, 15)
    eyes_y = p[36:48, 1].mean()
    height = p[8, 1] - eyes_y
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


def _measure_texture(image: Floats, mean: Floats) -> dict[str, float]:
    """Hair and brows, read in boxes whose places follow from the mean shape."""
    luma = image @ _LUMA
    cover = np.clip((_BACKGROUND_LUMA - luma) / _LUMA_RANGE, 0, 1)  # 0 on the white background, 1 on the head
    left, right, middle = mean[:17, 0].min(), mean[:17, 0].max(), mean[27:31, 0].mean()
    width, brow_y, chin_y = right - left, mean[17:27, 1].mean(), mean[8, 1]
    height = chin_y - brow_y

    def beside(plane: Floats, *, near: float, far: float, top: float, low: float) -> tuple[float, float]:
        """Means left and right of the face; `near` and `far` in face widths, `top` and `low` in face heights."""
        y = (brow_y + top * height, brow_y + low * height)
        one = _box(plane, x=(left - far * width, left - near * width), y=y)
        other = _box(plane, x=(right + near * width, right + far * width), y=y)
        return float(one.mean()), float(other.mean())

    def middle_box(plane: Any, *, half: float, top: float, low: float) -> Floats:
        return _box(
            plane,
            x=(middle - half * width, middle + half * width),
            y=(brow_y + top * height, brow_y + low * height),
        )

    skin = float(np.median(middle_box(luma, half=0.15, top=-0.25, low=-0.1)))
    crown = middle_box(luma, half=0.25, top=-0.72, low=-0.56)
    crown_cover = middle_box(cover, half=0.25, top=-0.72, low=-0.56) + 1e-6
    crown_rgb = np.average(
        middle_box(image, half=0.25, top=-0.72, low=-0.56).reshape(-1, 3), axis=0, weights=crown_cover.ravel()
    )
    hair = float(np.average(crown, weights=crown_cover))
    # Faint hair (grey or blurred) would divide by nothing.
    contrast = max(skin - hair, 0.08)
    forehead = middle_box(luma, half=0.2, top=-0.6, low=-0.2)
    part_left, part_right = beside(luma, near=-0.3, far=-0.1, top=-0.5, low=-0.2)
    brows = _sample(luma, mean[17:27])
    around = _sample(luma, mean[17:27] + [0, 0.09 * height])
    return {
        "brow_weight": float((around - brows).mean()) / max(skin, 0.1),
        "hair_length": sum(beside(cover, near=0.03, far=0.3, top=0.5, low=1.0)) / 2,
        "hair_volume": sum(beside(cover, near=-0.05, far=0.25, top=-0.6, low=0.2)) / 2,
        "hairline": float(np.clip((forehead - hair) / contrast, 0, 1).mean()),
        "hair_part": part_right - part_left,
        "hair_lightness": hair,
        "hair_warmth": float(crown_rgb[0] - crown_rgb[2]),
    }


def _box(plane: Floats, *, x: tuple[float, float], y: tuple[float, float]) -> Floats:
    """Pixels of a box, cut to the image; never empty."""
    rows, columns = plane.shape[:2]
    x0 = min(max(round(x[0]), 0), columns - 1)
    y0 = min(max(round(y[0]), 0), rows - 1)
    return plane[y0 : max(round(y[1]), y0 + 1), x0 : max(round(x[1]), x0 + 1)]


def _sample(plane: Floats, points: Floats) -> Floats:
    rows, columns = plane.shape
    at = np.rint(points).astype(int)
    return plane[np.clip(at[:, 1], 0, rows - 1), np.clip(at[:, 0], 0, columns - 1)]
