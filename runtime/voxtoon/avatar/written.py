"""The numbers of a drawing as they are written, to tell whether two avatars are the same drawing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.avatar.evaluate import evaluate, grid_colours
from voxtoon.avatar.parameters import AvatarParameters

TENTHS: Final = 10
"""Coordinates are written with one decimal."""
TIE: Final = 0.2
"""In written steps: 0.02 of a unit, which 1e-4 of a parameter is worth, or a fifth of a colour's step."""


def written_numbers(
    parameters: AvatarParameters, *, reference: AvatarParameters | None = None
) -> NDArray[np.float64]:
    """Return what a drawing is written with: coordinates in tenths of a unit, colours in steps of 255.

    Parameters
    ----------
    parameters
        Of the drawing.
    reference
        Of the one that it is to be compared with. Wherever a number is rounded, some value lies at the edge,
        and its last bit decides: a number within `TIE` of the reference's is written as that is.

    Returns
    -------
    [n]
        Whole numbers, in a fixed order.
    """
    numbers = _numbers(parameters)
    if reference is not None:
        wanted = _numbers(reference)
        numbers = np.where(np.abs(numbers - wanted) <= TIE, wanted, numbers)
    return np.rint(numbers)


def _numbers(parameters: AvatarParameters) -> NDArray[np.float64]:
    commands = [command for shape in evaluate(parameters) for command in shape.commands]
    coordinates = np.array([point for _, points in commands for point in points]).ravel() * TENTHS
    colours = grid_colours(parameters)
    skin = [int(parameters.skin[at : at + 2], 16) for at in (1, 3, 5)] if parameters.skin[0] == "#" else []
    return np.concatenate([coordinates, *(colours[slot] for slot in sorted(colours)), skin])
