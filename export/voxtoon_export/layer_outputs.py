"""What each layer of a part makes of an input, for finding the first one that an artefact does not equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxtoon.agreement import Tolerance

from .chains import chains
from .first_difference import Difference, Intermediate, first_difference

if TYPE_CHECKING:
    from .network import Network

LayerOutputs = list[tuple[str, NDArray[Any]]]

_ROUNDING: Final = 0.02
"""What float16 may change in a layer's output, of its scale, without being an error in itself."""


def layer_outputs(network: Network, inputs: Mapping[str, NDArray[Any]]) -> list[LayerOutputs]:
    """Run a part in torch and keep what every layer makes.

    Parameters
    ----------
    network
        In eval mode.
    inputs
        By name.

    Returns
    -------
    list
        For each output of the part, in order, the layers that lead to it with what they made: maps channel
        first, as they are inside.
    """
    made: dict[str, NDArray[Any]] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _given: object, output: Tensor) -> None:
            made[name] = output.numpy()

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in network.named_children()]
    try:
        with torch.inference_mode():
            network(*(torch.from_numpy(inputs[item.name]) for item in network.spec.inputs))
    finally:
        for hook in hooks:
            hook.remove()
    trunk, *branches = ([(place.name, made[place.name]) for place in chain] for chain in chains(network))
    return [trunk + branch for branch in branches]


def where_it_appears(
    values: Sequence[Intermediate],
    network: Network,
    inputs: Mapping[str, NDArray[Any]],
    *,
    tolerance: Tolerance,
) -> Difference | None:
    """Find where an artefact leaves the way of a part.

    Parameters
    ----------
    values
        What the artefact makes of the inputs on its way, maps channel first.
    network, inputs
        As for `layer_outputs`.
    tolerance
        That the artefact misses.

    Returns
    -------
    Difference or None
        None where no layer shows it.
    """
    limit = tolerance.max_abs_relative or _ROUNDING
    places = (
        first_difference(values, layers, max_abs_relative=limit) for layers in layer_outputs(network, inputs)
    )
    return next((place for place in places if place is not None), None)
