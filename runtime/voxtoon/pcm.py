"""Bytes of a headerless sound stream as samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .errors import InputError


@dataclass(frozen=True)
class PcmFormat:
    """How samples lie in bytes: their width, and how whole samples become float32 in [-1, 1]."""

    bytes_per_sample: int
    decode: Callable[[bytes], NDArray[np.float32]]


@cache
def mu_law_table() -> NDArray[np.float32]:
    """The sample of each of the 256 codes of G.711 mu-law."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32) / np.float32(32768)


@cache
def a_law_table() -> NDArray[np.float32]:
    """The sample of each of the 256 codes of G.711 A-law."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + np.where(segment > 0, 0x108, 8)
    magnitude <<= np.maximum(segment - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.float32) / np.float32(32768)


def _signed_16(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def _float_32(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f4").astype(np.float32)


def _mu_law(data: bytes) -> NDArray[np.float32]:
    return mu_law_table()[np.frombuffer(data, np.uint8)]


def _a_law(data: bytes) -> NDArray[np.float32]:
    return a_law_table()[np.frombuffer(data, np.uint8)]


PCM_FORMATS: dict[str, PcmFormat] = {
    "s16le": PcmFormat(2, _signed_16),
    "f32le": PcmFormat(4, _float_32),
    "mulaw": PcmFormat(1, _mu_law),
    "alaw": PcmFormat(1, _a_law),
}


class PcmDecoder:
    """Decodes a stream of bytes that may be cut anywhere, in the middle of a sample as well.

    Parameters
    ----------
    name
        A key of `PCM_FORMATS`.

    Raises
    ------
    InputError
        When there is no such format.
    """

    def __init__(self, name: str) -> None:
        if name not in PCM_FORMATS:
            raise InputError("PCM format", got=repr(name), expected=", ".join(PCM_FORMATS))
        self._format = PCM_FORMATS[name]
        self._rest = b""

    def push(self, data: bytes) -> NDArray[np.float32]:
        """The samples that these bytes complete, float32 [n], n >= 0."""
        data = self._rest + data
        whole = len(data) - len(data) % self._format.bytes_per_sample
        self._rest = data[whole:]
        return self._format.decode(data[:whole])
