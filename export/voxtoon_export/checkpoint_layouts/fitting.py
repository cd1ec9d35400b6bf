"""Whether the tensors of a file are those of a variant, and which variant they are of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

from ..systems import SYSTEMS, Variant
from .layout import Layout, Source

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
    present = {source.part for key, source in sources.items() if key in weights}
    wanted = {key: source for key, source in sources.items() if source.part in present}
    none = [f"none of its tensors in the layout {layout.name}"]
    problems = list(_problems(wanted, weights)) if wanted else none
    if problems:
        raise InputError(
            f"checkpoint does not fit {variant.name}",
            got="; ".join(problems),
            expected=f"{len(wanted or sources)} tensors of {layout.title}",
            hint="name another variant or layout if it is of one (voxtoon systems lists them)",
        )
    parts: dict[str, dict[str, Array]] = {}
    for key, source in wanted.items():
        parts.setdefault(source.part, {})[source.name] = source.convert(weights[key])
    return parts


def variant_by_shapes(layout: Layout, weights: Mapping[str, Array], *, system: str | None) -> Variant:
    """The variant with most tensors of just these shapes.

    Raises
    ------
    InputError
        There is none, or there are several.
    """
    variants = [
        variant
        for declared in SYSTEMS.values()
        if system in (None, declared.name)
        for variant in declared.variants.values()
    ]
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
            hint="name the variant",
        )
    return best[0]


def _problems(wanted: Mapping[str, Source], weights: Mapping[str, Array]) -> Iterator[str]:
    missing = [key for key in wanted if key not in weights]
    extra = [key for key in weights if key not in wanted]
    other = [
        f"{key} {list(weights[key].shape)} and not {list(source.shape)}"
        for key, source in wanted.items()
        if key in weights and weights[key].shape != source.shape
    ]
    for names, problem in ((missing, "missing"), (extra, "too many"), (other, "of another shape")):
        if names:
            yield f"{len(names)} {problem} ({_some(names)})"


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
