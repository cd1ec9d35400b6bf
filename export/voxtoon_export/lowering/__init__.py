"""The formats a part can be lowered to: one module each, with a `FORMAT`; adding a file here registers it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from voxtoon.agreement import Tolerance
from voxtoon.errors import InputError
from voxtoon_export.first_difference import Intermediate

if TYPE_CHECKING:
    from torch import nn

CLIP_FRAMES: Final = 598
"""Of a time axis where a format wants a length written down: 6 s, the clips of the systems, at 10 ms each."""

Content = bytes | Mapping[str, bytes]
"""Of an artefact: the bytes of a file, or of each file of a folder by its path in it."""


class Tensor(Protocol):
    """A declared input or output."""

    @property
    def name(self) -> str:
        """In every artefact."""

    @property
    def shape(self) -> tuple[int | str, ...]:
        """Sizes; the name of an axis that may be of any size."""


class Declaration(Protocol):
    """What a lowering has to know of a part: a `PartSpec`, a `StepPart`, or an entry of a manifest."""

    @property
    def name(self) -> str:
        """Of the part."""

    @property
    def inputs(self) -> Sequence[Tensor]:
        """In the order of the module's."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """In the order of the module's."""

    @property
    def minimum_frames(self) -> int | None:
        """Of its time axis; None where it has none."""


Lowering = Callable[["nn.Module", Declaration, Sequence[str]], Mapping[str, Content]]
Intermediates = Callable[[Any, Mapping[str, Any]], Iterable[Intermediate]]


@dataclass(frozen=True)
class About:
    """What an artefact tells whoever finds it without its bundle.

    Parameters
    ----------
    author, licence, description
        Texts for people.
    metadata
        Texts for programs by name: ``voxtoon.system``, ``voxtoon.variant``, ``voxtoon.part``, and
        ``voxtoon.front_end``, as the JSON of a manifest.
    """

    author: str
    licence: str
    description: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Format:
    """A format of artefacts.

    Parameters
    ----------
    name
        As in the manifest, and as the ``--to`` of the command line.
    extension
        Of the files or folders, with its dot.
    engine
        The engine of ``voxtoon.engines`` that runs it, and that it is verified on.
    tolerances
        What an output must reach against torch, for each precision this format has.
    minimum_runtime
        The oldest version of each library that runs it.
    lower
        ``(module, part, precisions)``, the module in eval mode, to the content of an artefact per precision.
    label
        Writes into a content what it is; None where the format has no place for that.
    operators
        How many operators of each kind a content holds, the most frequent first; None where nobody can tell.
    intermediates
        ``(content, inputs)`` to every value that is computed on the way, in order, maps channel first as the
        parts are inside: to find where an artefact that fails leaves the way of its module. None where the
        format cannot be looked into.
    channel_first
        Whether its runtime computes on maps as they come, channel first: a step then turns the few frames of
        its state around, and otherwise the whole maps, which costs nothing where maps are in another order.
    """

    name: str
    extension: str
    engine: str
    tolerances: Mapping[str, Tolerance]
    minimum_runtime: Mapping[str, str]
    lower: Lowering
    label: Callable[[Any, About], Content] | None = None
    operators: Callable[[Any], Mapping[str, int]] | None = None
    intermediates: Intermediates | None = None
    channel_first: bool = False

    def labelled(self, content: Content, about: About) -> Content:
        """Return a content that says what it is, where the format has a place for that."""
        return content if self.label is None else self.label(content, about)


def format_names() -> tuple[str, ...]:
    """Return the names of all formats; none of their modules is loaded for it."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def format_named(name: str) -> Format:
    """Return a format by name.

    Raises
    ------
    InputError
        There is none of that name.
    """
    if name not in format_names():
        raise InputError("unknown format", got=name, expected="one of " + ", ".join(format_names()))
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found
