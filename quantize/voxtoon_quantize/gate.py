"""What a quantized part must reach to be called int8: smaller, and faster, and the same face."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Limit:
    """One figure and how far it may go; a figure that could not be measured is told, and asked of nobody."""

    figure: str
    what: str
    at_most: float | None = None
    at_least: float | None = None

    def miss(self, value: float | None) -> bool:
        """Whether a value is beyond the limit; what is not a number always is."""
        if value is None:
            return False
        above = self.at_least is None or value >= self.at_least
        return not (above and (self.at_most is None or value <= self.at_most))

    @property
    def asked(self) -> str:
        """The limit in a cell."""
        return f"<= {self.at_most:g}" if self.at_most is not None else f">= {self.at_least:g}"


INT8_GATE: Final = (
    Limit("angle_mean_deg", "feature angle, mean (degrees)", at_most=3.0),
    Limit("angle_p95_deg", "feature angle, 95th percentile (degrees)", at_most=6.0),
    Limit("drift_deg", "more degrees in the last of ten minutes than in the first", at_most=0.01),
    Limit("r2_drop", "drop of R2", at_most=0.01),
    Limit("psnr_db", "PSNR of the face (dB)", at_least=35.0),
    Limit("ssim", "SSIM of the face", at_least=0.97),
    Limit("integer_macs", "share of multiplications in integers", at_least=0.90),
    Limit("smaller", "times smaller than fp32", at_least=3.6),
    Limit("faster", "times faster than fp32", at_least=1.2),  # no noise: see docs/quantization.md
)
OF_INTEGERS: Final = ("integer_macs", "faster")
"""Figures that are asked of what is called int8, and not of weights that are small alone."""
OF_STREAMS: Final = ("drift_deg",)
"""Figures that only the encoder on a stream has."""
REQUIRED: Final = ("angle_mean_deg", "angle_p95_deg", "integer_macs", "smaller", "faster")
"""Figures without which nothing can be said of a part."""


@dataclass(frozen=True)
class Verdict:
    """One line of the gate."""

    limit: Limit
    value: float | None
    missed: bool

    @property
    def text(self) -> str:
        """What, got and asked, in words."""
        return f"{self.limit.what} {self.cells[1]} (asked {self.limit.asked})"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The line of a table: what, got, asked, and how it ended."""
        got = "not measured" if self.value is None else f"{self.value:.4g}"
        return self.limit.what, got, self.limit.asked, "MISSED" if self.missed else "good"


def judge(
    figures: Mapping[str, float], *, unmeasurable: Collection[str] = (), weights_alone: bool = False
) -> list[Verdict]:
    """Hold figures against the gate, line by line.

    Parameters
    ----------
    unmeasurable
        Figures that cannot be had on this machine; any other that is required and missing is missed.
    weights_alone
        Whether the activations stay float: nothing is asked of integers and of speed then.
    """
    found = []
    for limit in INT8_GATE:
        if weights_alone and limit.figure in OF_INTEGERS:
            continue
        value = figures.get(limit.figure)
        if value is None and limit.figure in OF_STREAMS:
            continue
        required = limit.figure in REQUIRED and limit.figure not in unmeasurable
        missed = limit.miss(value) or (value is None and required)
        found.append(Verdict(limit, value, missed))
    return found
