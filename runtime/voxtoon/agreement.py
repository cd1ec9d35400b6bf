"""How far an output is from its reference, and whether that is near enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

# Identical arrays have an infinite ratio, which JSON has not; no float32 computation comes near this.
PSNR_CEILING_DB: Final = 300.0


@dataclass(frozen=True)
class Agreement:
    """Distance of an output from its reference.

    Parameters
    ----------
    max_abs
        Largest absolute difference, in the output's unit.
    max_abs_relative
        The same over the output's scale, which is the largest absolute value of the reference.
    psnr_db
        Peak signal-to-noise ratio, the scale as peak; 300 for identical arrays.
    cosine
        Cosine of the angle between both, taken as flat vectors.
    """

    max_abs: float
    max_abs_relative: float
    psnr_db: float
    cosine: float

    def to_json(self) -> dict[str, float]:
        """Return the four figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Tolerance:
    """What an agreement must reach; a figure that is None is not asked for."""

    max_abs_relative: float | None = None
    psnr_db: float | None = None

    def __post_init__(self) -> None:
        if self.max_abs_relative is None and self.psnr_db is None:
            raise ValueError("a tolerance asks for at least one figure")

    def miss(self, agreement: Agreement) -> str | None:
        """Say which figure misses and by how much; None when all are met."""
        if self.max_abs_relative is not None and not agreement.max_abs_relative <= self.max_abs_relative:
            got = f"got {agreement.max_abs_relative:.2g}"
            return f"max_abs_relative: {got}, expected at most {self.max_abs_relative:g}"
        if self.psnr_db is not None and not agreement.psnr_db >= self.psnr_db:
            return f"psnr_db: got {agreement.psnr_db:.1f}, expected at least {self.psnr_db:g}"
        return None

    def to_json(self) -> dict[str, float]:
        """Return the figures asked for, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Tolerance:
        """Read what `to_json` wrote; unknown names are refused, since ignoring one would weaken the check."""
        unknown = set(values) - {"max_abs_relative", "psnr_db"}
        if unknown or not values:
            raise CheckError(
                "a tolerance cannot be checked",
                got=", ".join(sorted(values)) or "none",
                expected="max_abs_relative, psnr_db",
            )
        return cls(**values)


def compare(reference: NDArray[Any], got: NDArray[Any], *, what: str) -> Agreement:
    """Measure how far ``got`` is from ``reference``.

    Parameters
    ----------
    what
        Names the output in the error.

    Raises
    ------
    CheckError
        The two cannot be compared: other shapes, a value that is not finite, or a reference of nothing but
        zeros, which has no scale.
    """
    if reference.shape != got.shape:
        raise CheckError(f"{what} has another shape", got=list(got.shape), expected=list(reference.shape))
    for name, array in (("reference", reference), ("output", got)):
        if not np.all(np.isfinite(array)):
            raise CheckError(f"the {name} of {what} holds values that are not finite")
    expected, found = (np.asarray(array, np.float64).ravel() for array in (reference, got))
    scale = float(np.abs(expected).max(initial=0.0))
    if scale == 0.0:
        raise CheckError(f"{what} cannot be checked: the reference is zero everywhere")
    error = np.abs(found - expected)
    rms = float(np.sqrt(np.mean(error**2)))
    norms = float(np.linalg.norm(expected) * np.linalg.norm(found))
    return Agreement(
        max_abs=float(error.max()),
        max_abs_relative=float(error.max()) / scale,
        psnr_db=min(PSNR_CEILING_DB, 20.0 * math.log10(scale / rms)) if rms else PSNR_CEILING_DB,
        cosine=float(expected @ found) / norms if norms else 0.0,
    )


def worst(agreements: Iterable[Agreement]) -> Agreement:
    """Return the worst of each figure; at least one agreement must be given."""
    listed = list(agreements)
    return Agreement(
        max_abs=max(item.max_abs for item in listed),
        max_abs_relative=max(item.max_abs_relative for item in listed),
        psnr_db=min(item.psnr_db for item in listed),
        cosine=min(item.cosine for item in listed),
    )
