"""The layers of a torch module in their declared places, for what rewrites them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .layers import Layer
    from .network import Layered
    from .parts import Step


@dataclass(frozen=True)
class Place:
    """A layer of a part: its name in the module, and its declaration with its shapes."""

    name: str
    step: Step

    @property
    def kind(self) -> type[Layer]:
        """Of the layer."""
        return type(self.step.layer)


def chains(network: Layered) -> Iterator[Sequence[Place]]:
    """Yield the trunk, then each branch: layers each of which feeds the next and nothing else."""
    declared = network.layered
    places = [Place(*item) for item in zip(network.layer_names, declared.steps(), strict=False)]
    for layers in (declared.trunk, *(branch.layers for branch in declared.branches)):
        yield places[: len(layers)]
        places = places[len(layers) :]
