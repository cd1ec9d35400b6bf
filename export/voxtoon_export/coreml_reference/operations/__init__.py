"""What the evaluator can compute: one module per family, each with a table from kind to function.

A function takes the operation's inputs by their names in the Core ML model language, as arrays, texts, or
tuples of arrays, and returns the result, or a tuple of results. What an operation leaves out keeps the
function's default. Rounding to the declared type, and the check of the declared shape, come after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import (
    activation,
    arithmetic,
    compression,
    convolution,
    linear,
    normalisation,
    pooling,
    quantisation,
    rearrangement,
    reduction,
    resampling,
    slicing,
    state,
)

FAMILIES = (
    activation,
    arithmetic,
    compression,
    convolution,
    linear,
    normalisation,
    pooling,
    quantisation,
    rearrangement,
    reduction,
    resampling,
    slicing,
    state,
)

OPERATIONS: Mapping[str, Callable[..., Any]] = {
    kind: function for family in FAMILIES for kind, function in family.OPERATIONS.items()
}
