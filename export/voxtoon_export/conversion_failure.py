"""Why a part could not be converted: the layer and the operation at fault, for the one line of an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxtoon.errors import CheckError

if TYPE_CHECKING:
    from torch import nn

    from voxtoon_export.lowering import Declaration, Tensor
    from voxtoon_export.network import Network


@dataclass(frozen=True)
class _Alone:
    """The declaration of a layer by itself."""

    name: str
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    minimum_frames: int | None = None


def conversion_failure(
    module: nn.Module,
    part: Declaration,
    error: Exception,
    *,
    target: str,
    operation: re.Pattern[str],
    convert: Callable[[nn.Module, Declaration], object],
) -> CheckError:
    """Find the layer that cannot be converted, by converting each alone.

    Parameters
    ----------
    module, part
        What was to be converted, and what is declared of it.
    error
        What the converter raised.
    target
        The format, as people write it.
    operation
        Finds the operation at fault in an error's text: the first group that is there.
    convert
        Does one module; whatever it raises is a failure.
    """
    from voxtoon_export.network import Network

    def failure(what: str, reason: Exception) -> CheckError:
        found = operation.search(str(reason))
        at = f" at {next(filter(None, found.groups()))}" if found else ""
        first_line = (str(reason).strip().splitlines() or [type(reason).__name__])[0]
        return CheckError(f"{what} cannot be converted to {target}{at}", got=first_line)

    for name, layer, alone in _layers(module) if isinstance(module, Network) else ():
        try:
            convert(layer, alone)
        except Exception as of_layer:  # converters raise whatever went wrong inside them
            return failure(f"{part.name}, layer {name},", of_layer)
    return failure(part.name, error)


def _layers(network: Network) -> Iterator[tuple[str, nn.Module, Declaration]]:
    """Yield name, module and declaration of each layer, as it is inside the part: channel first."""
    from voxtoon_export.chains import chains
    from voxtoon_export.parts import TensorSpec

    for chain in chains(network):
        for place in chain:
            *sizes, channels = place.step.input_shape
            shape = (1, channels, *sizes)
            value, result = TensorSpec("value", (), shape), TensorSpec("result", (), ())
            yield place.name, getattr(network, place.name), _Alone("layer", (value,), (result,))
