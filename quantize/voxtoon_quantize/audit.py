"""What of an artefact really runs in integers: its operators, and their share of the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from voxtoon.errors import CheckError

MINIMUM_SHARE: Final = 0.90
"""Of the multiplications, below which no artefact is called int8."""


@dataclass(frozen=True)
class Operator:
    """One operator of the optimised graph.

    Attributes
    ----------
    layer
        Name of the layer whose weights it multiplies with; empty for all other operators.
    kind
        Its name in the engine.
    macs
        Multiply-accumulates for the input given.
    reason
        Why it does not run in integers; None where it does.
    """

    layer: str
    kind: str
    macs: int
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """Return all by name."""
        return {"layer": self.layer, "operator": self.kind, "macs": self.macs, "reason": self.reason}


@dataclass(frozen=True)
class Audit:
    """Every operator that computes; those that only convert to and from integers are not counted."""

    operators: tuple[Operator, ...]

    @property
    def operator_share(self) -> float:
        """Share of the operators that run in integers."""
        return sum(item.reason is None for item in self.operators) / max(1, len(self.operators))

    @property
    def mac_share(self) -> float:
        """Share of the multiply-accumulates that run in integers; 0 where there are none."""
        integer = sum(item.macs for item in self.operators if item.reason is None)
        return integer / max(1, sum(item.macs for item in self.operators))

    @property
    def in_float(self) -> tuple[Operator, ...]:
        """The operators that multiply with weights, and not in integers; the heaviest first."""
        left = [item for item in self.operators if item.macs and item.reason is not None]
        return tuple(sorted(left, key=lambda item: -item.macs))

    def check(self, *, where: str, minimum_share: float = MINIMUM_SHARE) -> None:
        """Refuse the name int8 to an artefact that does not deserve it.

        Raises
        ------
        CheckError
            Fewer of the multiplications run in integers than are asked for: which do not, and why.
        """
        if self.mac_share >= minimum_share:
            return
        heaviest = "; ".join(f"{item.layer} ({item.kind}): {item.reason}" for item in self.in_float[:3])
        raise CheckError(
            f"{where} is not int8: multiplications in integers",
            got=f"{100 * self.mac_share:.1f} %",
            expected=f"{100 * minimum_share:g} % or more",
            hint=f"in float: {heaviest}" if heaviest else "it multiplies nothing",
        )
