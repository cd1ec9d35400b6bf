"""The face as a PNG file, without an image library."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR = 2
_FILTER_UP = 2


def to_uint8(image: ArrayLike) -> NDArray[np.uint8]:
    """Colours in [0, 1] as bytes; what is outside is clipped."""
    clipped = np.clip(np.asarray(image, np.float32), 0.0, 1.0)
    return np.rint(clipped * 255).astype(np.uint8)


def encode_png(image: ArrayLike) -> bytes:
    """An RGB image as the bytes of a PNG file.

    Parameters
    ----------
    image
        [height, width, 3], RGB in [0, 1].

    Raises
    ------
    InputError
        When the array has another shape.
    """
    pixels = to_uint8(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise InputError("image", got=f"shape {pixels.shape}", expected="(height, width, 3)")
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, -1)
    # Each row as the difference from the one above: faces are smooth, so this packs a third smaller.
    differences = np.diff(rows, axis=0, prepend=np.zeros((1, width * 3), np.uint8))
    filtered = np.insert(differences, 0, _FILTER_UP, axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, _TRUE_COLOUR, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
