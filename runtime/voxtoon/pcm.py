"""What comes of a call, chunk by chunk, as samples: arrays, or bytes without a header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import PEAK_LIMIT, check_chunk
from .errors import InputError

Chunk = ArrayLike | bytes | bytearray | memoryview


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


class PcmInput:
    """Chunks of a call, of whatever kind, as mono float32.

    Parameters
    ----------
    encoding
        Of chunks of bytes: a key of `PCM_FORMATS`, with or without ffmpeg's ``pcm_`` before it. None where
        all chunks are arrays.
    channels, channel
        How many channels are interleaved, and which of them to hear, counted from 0. Channels are not mixed:
        that combs a voice which reached two microphones at different times.

    Raises
    ------
    InputError
        When there is no such encoding or channel.
    """

    def __init__(self, *, encoding: str | None = None, channels: int = 1, channel: int = 0) -> None:
        name = None if encoding is None else encoding.removeprefix("pcm_")
        if name is not None and name not in PCM_FORMATS:
            raise InputError("PCM format", got=repr(encoding), expected=", ".join(PCM_FORMATS))
        if not 0 <= channel < channels:
            raise InputError(f"channel {channel}", expected=f"0 to {channels - 1}, for {channels} channels")
        self._format = None if name is None else PCM_FORMATS[name]
        self._channels, self._channel = channels, channel
        self.reset()

    def reset(self) -> None:
        """Forget the bytes of an unfinished sample."""
        self._rest = b""

    def samples_in(self, chunk: Chunk) -> int:
        """How many samples of a channel a chunk holds, at least; 0 where it cannot be told."""
        if not isinstance(chunk, bytes | bytearray | memoryview):
            return int(np.size(chunk)) // self._channels
        return 0 if self._format is None else len(chunk) // (self._format.bytes_per_sample * self._channels)

    def push(self, chunk: Chunk) -> NDArray[np.float32]:
        """The samples of one channel that a chunk completes.

        Parameters
        ----------
        chunk
            Floating-point in [-1, 1] or int16, interleaved or [samples, channels]; or bytes in the declared
            encoding, cut anywhere, in the middle of a sample as well.

        Returns
        -------
        float32 [n], n >= 0
            May share the chunk's memory.

        Raises
        ------
        InputError
            When it is none of these, not finite or far beyond full scale. Nothing of it is taken then.
        """
        if not isinstance(chunk, bytes | bytearray | memoryview):
            return self._one_channel(np.asarray(chunk))
        if self._format is None:
            raise InputError("a chunk of bytes", expected="an array, or a declared encoding")
        data = self._rest + bytes(chunk)
        whole = len(data) - len(data) % (self._format.bytes_per_sample * self._channels)
        samples = self._one_channel(self._format.decode(data[:whole]))
        self._rest = data[whole:]
        return samples

    def _one_channel(self, array: NDArray[Any]) -> NDArray[np.float32]:
        if array.ndim == 1 and len(array) % self._channels == 0:
            array = array.reshape(-1, self._channels)
        elif array.ndim != 2 or array.shape[1] != self._channels:
            kinds = "one dimension" if self._channels == 1 else f"[n, {self._channels}] or interleaved"
            hint = "declare channels, or pass one of them: samples[:, 0]"
            raise InputError("samples", got=f"shape {array.shape}", expected=kinds, hint=hint)
        one = array[:, self._channel]
        chunk = check_chunk(one / np.float32(32768) if one.dtype == np.int16 else one)
        peak = float(np.abs(chunk).max(initial=0.0))
        if peak > PEAK_LIMIT:
            hint = "divide 16-bit values by 32768"
            raise InputError("samples: a peak", got=f"{peak:.6g}", expected="samples in [-1, 1]", hint=hint)
        return chunk
