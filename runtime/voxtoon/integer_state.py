"""A session that keeps its state in integers, as the manifest tells of its artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

if TYPE_CHECKING:
    from voxtoon.engines import Arrays, DType, Session
    from voxtoon.manifest import StateGrid


_Kind = TypeVar("_Kind", bound="IntegerStateSession")


@dataclass(frozen=True)
class IntegerStateSession:
    """A loaded artefact, and what the integers of its state stand for.

    Raises
    ------
    CheckError
        The artefact keeps a state otherwise than is told of it.
    """

    session: Session
    grids: Mapping[str, StateGrid]

    @classmethod
    def around(cls: type[_Kind], session: Session) -> _Kind:
        """Return a session of this class in the place of another, with what is told of its state."""
        return cls(session, session.grids if isinstance(session, IntegerStateSession) else {})

    def __post_init__(self) -> None:
        types = self.session.input_types
        for name, grid in self.grids.items():
            if name not in types or types[name] != np.dtype(grid.dtype):
                raise CheckError(
                    f"the artefact's {name}",
                    got=types.get(name, "no such input"),
                    expected=f"{grid.dtype}, as the manifest tells",
                    hint="export the bundle again",
                )

    @property
    def engine(self) -> str:
        """Of the artefact."""
        return self.session.engine

    @property
    def precision(self) -> str:
        """Of the artefact."""
        return self.session.precision

    @property
    def input_types(self) -> Mapping[str, DType]:
        """What the elements of each input are."""
        return self.session.input_types

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""
        return self.session.run(inputs)


def zeros_of(session: Session, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return what an input is where all its values are 0: with integers the zero point.

    Of an artefact that keeps integers and whose manifest, an older one, does not tell what they stand for,
    it is the integer 0.
    """
    grid = session.grids.get(name) if isinstance(session, IntegerStateSession) else None
    return np.full(shape, 0 if grid is None else grid.zero_point, session.input_types[name])
