"""Times that were measured: all of them, compressed, and the figures that are told of them."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxtoon.errors import CheckError

LEAST_FOR_P99: Final = 100
"""Of fewer samples the 99th percentile would be the maximum under another name."""

_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Samples:
    """Every sample, in nanoseconds and in the order of measuring.

    Parameters
    ----------
    n
        How many.
    data
        Their 64-bit integers, compressed and as text.
    """

    n: int
    data: str
    unit: Literal["ns"] = "ns"
    encoding: Literal["zlib+base64, int64 little-endian"] = "zlib+base64, int64 little-endian"

    @classmethod
    def of(cls, nanoseconds: Iterable[int]) -> Samples:
        """Compress some times."""
        array = np.fromiter(nanoseconds, "<i8")
        return cls(len(array), base64.b64encode(zlib.compress(array.tobytes(), 9)).decode("ascii"))

    def seconds(self) -> NDArray[np.float64]:
        """Return the samples, [n].

        Raises
        ------
        CheckError
            When the text is not what it should be.
        """
        try:
            packed = base64.b64decode(self.data, validate=True)
            unpacked = zlib.decompressobj().decompress(packed, _MOST_BYTES)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise CheckError("samples cannot be unpacked", got=error, hint="measure again") from error
        if len(unpacked) != 8 * self.n:
            raise CheckError("samples", got=f"{len(unpacked)} bytes", expected=f"{8 * self.n}")
        return np.frombuffer(unpacked, "<i8") / 1e9


@dataclass(frozen=True)
class Summary:
    """Figures of some samples, in seconds; `p99` is None for fewer than a hundred of them."""

    n: int
    mean: float
    std: float
    p50: float
    p90: float
    p95: float
    p99: float | None
    max: float

    @classmethod
    def of(cls, seconds: ArrayLike) -> Summary:
        """Summarise samples, at least one; percentiles are interpolated between neighbours."""
        array = np.asarray(seconds, np.float64)
        p50, p90, p95, p99 = (float(value) for value in np.percentile(array, (50, 90, 95, 99)))
        return cls(
            n=len(array),
            mean=float(array.mean()),
            std=float(array.std()),
            p50=p50,
            p90=p90,
            p95=p95,
            p99=p99 if len(array) >= LEAST_FOR_P99 else None,
            max=float(array.max()),
        )


@dataclass(frozen=True)
class Latency:
    """The times of one thing that was done again and again."""

    summary_s: Summary
    samples: Samples

    @classmethod
    def of(cls, nanoseconds: list[int]) -> Latency:
        """Keep and summarise some times."""
        return cls(Summary.of(np.array(nanoseconds) / 1e9), Samples.of(nanoseconds))
