"""What can run an artefact: one module per engine, each with an `ENGINE`; adding a file here registers it."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata, util
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError
from voxtoon.integer_state import IntegerStateSession
from voxtoon.manifest import Artefact, Manifest
from voxtoon.tuning import tuned_choice

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle

AUTO = "auto"
PRECISIONS = ("int8", "fp32", "fp16")
"""In the order `auto` prefers them. Only what passed its gate, faster and the same face, is called int8; a
CPU runs fp16 artefacts in fp32, only later."""
UNVERIFIED = "int8-unverified"
"""Of artefacts that missed the gate: run when asked for by name, never chosen."""

Arrays = Mapping[str, NDArray[Any]]
DType = np.dtype[Any]


class Session(Protocol):
    """A loaded artefact: named arrays in, named arrays out."""

    @property
    def engine(self) -> str:
        """Name of the engine that runs it."""

    @property
    def precision(self) -> str:
        """Precision of the artefact, as the manifest names it."""

    @property
    def input_types(self) -> Mapping[str, DType]:
        """What the elements of each input are."""

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""


class Load(Protocol):
    """Makes a session of the bytes of an artefact, or of those of each of its files where it is a folder."""

    def __call__(self, model: Any, *, precision: str, threads: int | None) -> Session:
        """Load ``model``; ``threads`` None leaves the number to the engine's default."""


class Kernels(Protocol):
    """Tells what an engine really runs, by running a model once."""

    def __call__(self, model: Any, inputs: Arrays) -> dict[str, int]:
        """Count the kernels by the engine's own names."""


@dataclass(frozen=True)
class EngineSpec:
    """An engine, before anything of it is imported.

    Attributes
    ----------
    name
        What ``--engine`` calls it.
    format
        The format of the artefacts it runs.
    package, module
        The installed distribution, for its version, and the module whose presence means it is installed.
    load
        Imports the engine and loads a model.
    kernels
        Counts the kernels of a model; None where the engine does not tell them.
    check
        Refuses, before the import, an installation that cannot work on this machine.
    takes_folders
        Whether its artefacts are folders; `load` gets a mapping then, from path to bytes.
    automatic
        Whether ``auto`` may choose it: not one that is there to check artefacts.
    """

    name: str
    format: str
    package: str
    module: str
    load: Load
    kernels: Kernels | None = None
    check: Callable[[], None] = lambda: None
    takes_folders: bool = False
    automatic: bool = True

    def is_available(self) -> bool:
        """Whether the engine is installed."""
        return util.find_spec(self.module) is not None

    def runs(self, artefact: Artefact) -> bool:
        """Whether an artefact is for this engine: of its format, and its package one that it names."""
        named = artefact.minimum_runtime
        return artefact.format == self.format and (not named or self.package in named)


def choose(
    manifest: Manifest, part: str, *, engine: str = AUTO, precision: str = AUTO
) -> tuple[EngineSpec, Artefact]:
    """Pick the engine and the artefact of a part.

    Parameters
    ----------
    manifest
        Of the bundle.
    part
        Name of the part.
    engine, precision
        Names, or ``auto``: the first installed engine and the first of `PRECISIONS` that the bundle holds.

    Raises
    ------
    InputError
        When a name is unknown, the engine is not installed or not one that the artefact names, or the bundle
        has no such artefact.
    """
    held = {artefact.precision for artefact in manifest.artefacts}
    names = (AUTO, *PRECISIONS, UNVERIFIED, *sorted(held.difference((*PRECISIONS, UNVERIFIED))))
    if precision not in names:
        raise InputError("unknown precision", got=repr(precision), expected=", ".join(names))
    artefacts = manifest.artefacts_of(part)
    candidates = _candidates(engine)
    for spec in candidates:
        for wanted in PRECISIONS if precision == AUTO else (precision,):
            for artefact in artefacts:
                if artefact.precision == wanted and spec.runs(artefact):
                    return spec, artefact
    for spec in candidates:
        for artefact in artefacts:
            if artefact.format == spec.format and precision in (AUTO, artefact.precision):
                raise InputError(
                    f"{artefact.file} is not for the installed engine",
                    got=spec.package,
                    expected=" or ".join(artefact.minimum_runtime),
                )
    there = ", ".join(f"{artefact.format} {artefact.precision}" for artefact in artefacts) or "none"
    raise InputError(
        f"the bundle has no artefact of the part {part} for this choice",
        got=f"engine {engine}, precision {precision}",
        expected=f"one of its own: {there}",
    )


def load_session(
    bundle: Bundle,
    part: str,
    *,
    engine: str = AUTO,
    precision: str = AUTO,
    threads: int | None = None,
) -> Session:
    """Choose the artefact of a part, read it and load it.

    Parameters
    ----------
    bundle
        Open.
    part, engine, precision
        As in `choose`.
    threads
        Threads of the engine; None for its default.

    Raises
    ------
    InputError
        As `choose`, or when the installed engine is older than the artefact needs.
    CheckError
        When the engine cannot load the artefact.
    """
    if threads is not None and threads < 1:
        raise InputError("threads", got=threads, expected="1 or more")
    if engine == precision == AUTO:
        tuned = tuned_choice(bundle, part)
        if tuned is not None:
            engine, precision, threads = tuned.engine, tuned.precision, threads or tuned.threads
    spec, artefact = choose(bundle.manifest, part, engine=engine, precision=precision)
    check_version(spec, artefact)
    read = bundle.read_folder if spec.takes_folders else bundle.read
    session = spec.load(read(artefact.file), precision=artefact.precision, threads=threads)
    return IntegerStateSession(session, artefact.states) if artefact.states else session


def _candidates(engine: str) -> list[EngineSpec]:
    installed = [spec for spec in ENGINES.values() if spec.is_available()]
    if engine == AUTO:
        if not any(spec.automatic for spec in installed):
            packages = " or ".join(spec.package for spec in ENGINES.values() if spec.automatic)
            raise InputError("no inference engine is installed", expected=packages)
        return [spec for spec in installed if spec.automatic]
    if engine not in ENGINES:
        raise InputError("unknown engine", got=repr(engine), expected=", ".join((AUTO, *ENGINES)))
    if ENGINES[engine] not in installed:
        raise InputError(
            f"the engine {engine} is not installed", hint=f"pip install {ENGINES[engine].package}"
        )
    return [ENGINES[engine]]


def check_version(spec: EngineSpec, artefact: Artefact) -> None:
    """Refuse an artefact that is newer than the installed engine; the InputError says which it needs."""
    wanted = artefact.minimum_runtime.get(spec.package)
    if wanted is None:
        return
    installed = metadata.version(spec.package)
    if _numbers(installed) < _numbers(wanted):
        raise InputError(
            f"{spec.package} is too old for {artefact.file}",
            got=installed,
            expected=f"{wanted} or later",
            hint=f"pip install -U {spec.package}",
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


def _discover() -> dict[str, EngineSpec]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    specs: list[EngineSpec] = [import_module(f"{__name__}.{name}").ENGINE for name in names]
    # onnx before the others: its artefacts are the ones every bundle has.
    return {
        spec.name: spec for spec in sorted(specs, key=lambda spec: (not spec.automatic, spec.name != "onnx"))
    }


ENGINES: dict[str, EngineSpec] = _discover()
