"""The formats that recipes apply to: one module each, with a `FORMAT`; adding a file here registers it."""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from voxtoon.errors import InputError
from voxtoon_export.lowering import Content

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon.manifest import StateGrid

    from ..audit import Audit
    from ..recipe import Recipe

Inputs = Mapping[str, NDArray[Any]]


class FloatPart(Protocol):
    """A part of a bundle as it was exported, in one format."""

    @property
    def name(self) -> str:
        """Of the part."""

    @property
    def content(self) -> Content:
        """Its float32 artefact."""

    @property
    def calibrated(self) -> Content:
        """What `calibrate` shows its inputs to: the artefact, or the same after exact rewrites.

        A state may be another in it, so that inputs of the one are not inputs of the other.
        """

    @property
    def layers(self) -> tuple[str, ...]:
        """The declared names of the layers that multiply with weights, in order."""

    @property
    def fully_connected(self) -> Mapping[str, int]:
        """How many weights each fully connected layer has."""

    def calibrate(
        self, recipe: Recipe, inputs: Iterable[Inputs], *, for_factors: bool = False
    ) -> CalibratedPart:
        """See what values the tensors take that the recipe quantizes; no input is asked for without need.

        Parameters
        ----------
        for_factors
            Whether any fully connected layer may be made factors of afterwards; the recipe's always may.
        """


class CalibratedPart(Protocol):
    """A part whose tensors were seen: it can be quantized by any recipe of no more static layers."""

    @property
    def part(self) -> FloatPart:
        """As it was exported."""

    def quantize(self, schemes: Mapping[str, str], recipe: Recipe) -> Content:
        """Return the artefact with these schemes of its layers, the others float32, else by the recipe."""


@dataclass(frozen=True)
class QuantizedFormat:
    """How a format is quantized.

    Attributes
    ----------
    name
        As in the manifest: a format of `voxtoon_export.lowering`, whose engine runs and judges what is made.
    schemes
        Names of the schemes that layers of it can have.
    part
        From a part's name and its float32 artefact to a part that can be calibrated.
    audit
        From an artefact, the inputs of one run and the recipe to what of it runs in integers.
    states
        From an artefact to what its integers that are state stand for; raises CheckError where a state is
        not on one grid all the way from call to call.
    timed
        Whether its engine here is the one of the devices, so that it tells of the speed.
    minimum_runtime
        From an artefact to the oldest version of each library that runs it; None where the float one's are.
    """

    name: str
    schemes: Collection[str]
    part: Callable[[str, Content], FloatPart]
    audit: Callable[[Content, Inputs, Recipe], Audit]
    states: Callable[[Content], Mapping[str, StateGrid]]
    timed: bool = True
    minimum_runtime: Callable[[Content], Mapping[str, str]] | None = None

    def load(self, content: Content, *, precision: str, threads: int | None = 1) -> Session:
        """Load an artefact in the engine of this format; raises CheckError where that refuses it."""
        from voxtoon.engines import ENGINES
        from voxtoon.integer_state import IntegerStateSession
        from voxtoon_export.lowering import format_named

        session = ENGINES[format_named(self.name).engine].load(content, precision=precision, threads=threads)
        grids = self.states(content) if precision != "fp32" else {}
        return IntegerStateSession(session, grids) if grids else session


def quantized_formats() -> tuple[str, ...]:
    """Return the names of the formats that can be quantized; none of their modules is loaded for it."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def quantized_format(name: str) -> QuantizedFormat:
    """Return a format by name.

    Raises
    ------
    InputError
        There is none of that name.
    """
    from ..recipe import known

    known("format to quantize", name, quantized_formats())
    found: QuantizedFormat = import_module(f"{__name__}.{name}").FORMAT
    return found


def check_schemes(found: QuantizedFormat, recipe: Recipe) -> None:
    """Refuse a recipe with a scheme that a format has not.

    Raises
    ------
    InputError
        With the schemes that it has.
    """
    for scheme in dict.fromkeys((recipe.scheme, *(override.scheme for override in recipe.overrides))):
        if scheme not in found.schemes:
            raise InputError(f"{found.name} has no scheme {scheme}", expected=", ".join(found.schemes))


def made_by(recipe: Recipe, parts: Iterable[CalibratedPart]) -> dict[str, Content]:
    """Return the artefact that a recipe makes of each part, by the part's name."""
    return {
        part.part.name: part.quantize(recipe.schemes(part.part.name, part.part.layers), recipe)
        for part in parts
    }


def size_bytes(content: Content) -> int:
    """Return how large an artefact is: a file, or all files of a folder."""
    return len(content) if isinstance(content, bytes) else sum(map(len, content.values()))


def content_digest(content: Content) -> str:
    """Return a SHA-256 of an artefact, of a folder's files with their names."""
    files = {"": content} if isinstance(content, bytes) else content
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()
