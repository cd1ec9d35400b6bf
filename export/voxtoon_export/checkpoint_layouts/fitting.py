"""Whether the tensors of a file are those of a variant, and which variant they are of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

from ..layers import Shape
from ..systems import Variant
from .layout import Layout

_LISTED = 3  # names in a message, before it only counts

Array = NDArray[np.float32]


def fit(layout: Layout, variant: Variant, weights: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """The tensors of a file as ours, for every part that is there.

    Parameters
    ----------
    layout, variant
        What the file is of.
    weights
        Its tensors, by its own names.

    Returns
    -------
    dict
        For each part, its tensors by ``<layer>.<tensor>``.

    Raises
    ------
    InputError
        Tensors are missing, too many, or of another shape.
    """
    sources = layout.sources(variant)
    present = {source.part for source in sources.values() if any(name in weights for name in source.shapes)}
    wanted = [source for source in sources.values() if source.part in present]
    shapes = {name: shape for source in wanted or sources.values() for name, shape in source.shapes.items()}
    weights = {name: array for name, array in weights.items() if not name.startswith(layout.ignored)}
    none = [f"none of its tensors in the layout {layout.name}"]
    problems = list(_problems(shapes, weights)) if wanted else none
    if problems:
        raise InputError(
            f"checkpoint does not fit {variant.name}",
            got="; ".join(problems),
            expected=f"{len(shapes)} tensors of {layout.title}",
            hint="name another variant or layout if it is of one (voxtoon systems lists them)",
        )
    parts: dict[str, dict[str, Array]] = {}
    for source in wanted:
        parts.setdefault(source.part, {})[source.name] = source.convert(weights)
    return parts


def variant_by_shapes(layout: Layout, weights: Mapping[str, Array], *, system: str | None) -> Variant:
    """The variant with most tensors of just these shapes.

    Raises
    ------
    InputError
        There is none, or there are several.
    """
    variants = [variant for variant in layout.variants if system in (None, variant.system)]
    scores = [
        sum(
            key in weights and weights[key].shape == source.shape
            for key, source in layout.sources(variant).items()
        )
        for variant in variants
    ]
    best = [variant for variant, score in zip(variants, scores, strict=True) if 0 < score == max(scores)]
    if len(best) != 1:
        raise InputError(
            "the checkpoint does not tell its variant",
            got="shapes of " + (" or ".join(variant.name for variant in best) or "none"),
            hint="name the variant; what shapes do not tell is the front end it was trained on",
        )
    return best[0]


def _problems(wanted: Mapping[str, Shape], weights: Mapping[str, Array]) -> Iterator[str]:
    missing = [name for name in wanted if name not in weights]
    extra = [name for name in weights if name not in wanted]
    other = [
        f"{name} {list(weights[name].shape)} and not {list(shape)}"
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != shape
    ]
    for names, problem in ((missing, "missing"), (extra, "too many"), (other, "of another shape")):
        if names:
            yield f"{len(names)} {problem} ({_some(names)})"


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
