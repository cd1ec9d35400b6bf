"""Exact rewrites: the same sums in another order, so that they run in integers, or are fewer.

One module each, with a `REWRITE`; adding a file here registers it. A rewrite changes a graph wherever it is
exact and leaves it alone everywhere else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from voxtoon.errors import InputError

from ..graph import Graph

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Rewrite:
    """A named change of a graph.

    Parameters
    ----------
    name
        What recipes call it.
    order
        Its turn among the others, the lowest first.
    apply
        Changes a graph in place; returns the names of the layers that it changed.
    """

    name: str
    order: int
    apply: Callable[[Graph], list[str]]


def _discover() -> Mapping[str, Rewrite]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found: list[Rewrite] = [import_module(f"{__name__}.{name}").REWRITE for name in names]
    return {item.name: item for item in sorted(found, key=lambda item: item.order)}


def rewrite(
    model: onnx.ModelProto, names: Sequence[str] | None = None
) -> tuple[onnx.ModelProto, dict[str, list[str]]]:
    """Apply rewrites to a model.

    Parameters
    ----------
    names
        Of `REWRITES`, in whatever order; None for all.

    Returns
    -------
    tuple
        The new model, and the layers that each rewrite changed.

    Raises
    ------
    InputError
        There is no rewrite of that name.
    """
    wanted = REWRITES if names is None else names
    for name in wanted:
        if name not in REWRITES:
            raise InputError("unknown rewrite", got=repr(name), expected=", ".join(REWRITES))
    graph = Graph(model)
    changed = {name: item.apply(graph) for name, item in REWRITES.items() if name in wanted}
    return graph.model(), changed


REWRITES: Mapping[str, Rewrite] = _discover()
