"""Two records side by side: ratios with their confidence, and a refusal where they are not alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.bench.record import Record
from voxtoon.errors import InputError

CONFIDENCE: Final = 0.95
_RESAMPLES: Final = 2000
_SEED: Final = 20_260_101


@dataclass(frozen=True)
class Ratio:
    """How the medians of one stage compare: above 1 the second record is slower.

    Parameters
    ----------
    stage
        What was timed.
    first_s, second_s
        The medians.
    ratio, low, high
        Second over first, and the interval that holds it with 95 % confidence.
    """

    stage: str
    first_s: float
    second_s: float
    ratio: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1."""
        return not self.low <= 1.0 <= self.high


@dataclass(frozen=True)
class _Axis:
    """Something that a comparison may be about."""

    name: str
    reads: Callable[[Record], object]


AXES: Final = (
    _Axis("device", lambda record: record.device and (record.device.model, record.device.processor)),
    _Axis("software", lambda record: record.software),
    _Axis(
        "artefacts",
        lambda record: [(used.part, used.format, used.precision, used.sha256) for used in record.artefacts],
    ),
    _Axis("threads", lambda record: (record.settings.threads, record.settings.cpus)),
    _Axis("governor", lambda record: record.device and record.device.governor),
)
"""Only one of these may differ unless more are named: of two changes at once nobody knows which one told."""

_ALIKE: Final[Mapping[str, Callable[[Record], Mapping[str, object]]]] = {
    "protocol": lambda record: vars(record.protocol),
    "model": lambda record: {name: getattr(record.model, name, None) for name in ("system", "variant")},
    "length of the audio": lambda record: {"audio_s": getattr(record.model, "audio_s", None)},
}


def check_alike(first: Record, second: Record, *, across: Collection[str] = ()) -> None:
    """Refuse records that cannot be compared.

    Parameters
    ----------
    first, second
        The records.
    across
        Names of `AXES` that are meant to differ. Without any, one may.

    Raises
    ------
    InputError
        Naming what differs, or which record is emulated, unfinished or inaccurate.
    """
    known = [axis.name for axis in AXES]
    unknown = [name for name in across if name not in known]
    if unknown:
        raise InputError("--across", got=", ".join(map(repr, unknown)), expected=", ".join(known))
    for name, record in (("first", first), ("second", second)):
        if record.problem is not None:
            raise InputError(f"the {name} record is not whole", got=record.problem, hint="measure again")
        if record.device is None or record.device.emulated:
            raise InputError(
                f"the {name} record is of an emulated device",
                hint="its times say nothing about any device and are compared with none",
            )
        if not record.accurate:
            raise InputError(f"the {name} record misses its golden values", hint="see its accuracy")
    for name, reads in _ALIKE.items():
        one, other = reads(first), reads(second)
        differing = [field for field in one if one[field] != other[field]]
        if differing:
            got, expected = (
                ", ".join(f"{field} {found[field]}" for field in differing) for found in (other, one)
            )
            raise InputError(f"the records differ in the {name}", got=got, expected=expected)
    differing = [axis.name for axis in AXES if axis.reads(first) != axis.reads(second)]
    unexpected = [name for name in differing if name not in across] if across else differing[1:]
    if unexpected:
        names = differing if not across else unexpected
        raise InputError(
            "the records differ in more than one thing" if not across else "the records differ in more",
            got=", ".join(names),
            hint=f"measure again with one change, or say that it is meant: --across {' '.join(differing)}",
        )


def compare(first: Record, second: Record, *, across: Collection[str] = ()) -> tuple[Ratio, ...]:
    """Compare what both records timed; raises InputError as `check_alike` does."""
    check_alike(first, second, across=across)
    return tuple(
        ratio_of(stage, first.latency[stage].samples.seconds(), second.latency[stage].samples.seconds())
        for stage in first.latency
        if stage in second.latency
    )


def ratio_of(stage: str, first: NDArray[np.float64], second: NDArray[np.float64]) -> Ratio:
    """Compare two series of samples by their medians.

    The interval is that of a bootstrap over blocks of neighbouring samples: neighbours are alike, heat and
    other programs being what they share, and single samples drawn by themselves would make it too narrow.
    """
    generator = np.random.default_rng(_SEED)
    ratios = _medians(second, generator) / _medians(first, generator)
    margin = 50 * (1 - CONFIDENCE)
    low, high = (float(value) for value in np.percentile(ratios, (margin, 100 - margin)))
    medians = float(np.median(first)), float(np.median(second))
    return Ratio(stage, *medians, medians[1] / medians[0], low, high)


def _medians(samples: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    count = len(samples)
    block = max(1, round(count ** (1 / 3)))
    starts = generator.integers(0, count, (_RESAMPLES, -(-count // block)))
    picks = (starts[:, :, np.newaxis] + np.arange(block)) % count
    return np.asarray(np.median(samples[picks.reshape(_RESAMPLES, -1)[:, :count]], axis=1))
