"""Lowering to Core ML for iOS 18 and later, where a model keeps state from one prediction to the next.

Every part is lowered as to `coreml`, but what has state keeps it itself: the inputs of which an output
``next_<name>`` is the successor are neither inputs nor outputs of the package, but states of it, of the same
names and shapes. Core ML keeps state in float16 alone; how float32 is kept in it, see `StateInside`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from voxtoon_export.lowering import Declaration, Tensor, coreml

if TYPE_CHECKING:
    from torch import nn

IOS_18: Final = coreml.Target("18", "15")


@dataclass(frozen=True)
class _Outside:
    """What a part shows when it keeps its state itself."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    minimum_frames: int | None


def lower(module: nn.Module, part: Declaration, precisions: Sequence[str]) -> Mapping[str, coreml.Files]:
    """Lower a part; parameters, result and errors are those of `coreml.lower_for`."""
    successors = {item.name for item in part.outputs}
    kept = tuple(item for item in part.inputs if f"next_{item.name}" in successors)
    if not kept:
        return coreml.lower_for(IOS_18, module, part, precisions)
    from voxtoon_export.state_inside import StateInside

    names = {name for item in kept for name in (item.name, f"next_{item.name}")}
    outside = _Outside(
        part.name,
        tuple(item for item in part.inputs if item.name not in names),
        tuple(item for item in part.outputs if item.name not in names),
        part.minimum_frames,
    )
    made: dict[str, coreml.Files] = {}
    for precision in precisions:
        inside = StateInside(module, part, kept, exact=precision == "fp32").eval()
        made |= coreml.lower_for(IOS_18, inside, outside, [precision], states=inside.states)
    return made


FORMAT: Final = replace(
    coreml.FORMAT,
    name="coreml_stateful",
    extension=".stateful.mlpackage",
    engine="coreml_stateful",
    minimum_runtime=IOS_18.minimum_runtime,
    lower=lower,
)
