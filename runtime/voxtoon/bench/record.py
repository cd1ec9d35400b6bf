"""The record of a run: one JSON file, the same from every device (``docs/bench-record.schema.json``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from voxtoon.atomic_file import write_atomically
from voxtoon.bench.samples import Latency, Samples, Summary
from voxtoon.errors import InputError, VoxtoonError
from voxtoon.manifest_decode import decode
from voxtoon.manifest_json import encode, format_json, parse_json

FORMAT: Final = "voxtoon-bench-record"
FORMAT_VERSION: Final = "1.1"
OURS: Final = "voxtoon"
"""What voxtoon is called among its peers."""

_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Protocol:
    """What is done, and how often: records are alike only where all of this is equal.

    Parameters
    ----------
    warmup_runs, runs
        Rounds that are not counted, and those that are; in a round every stage runs once.
    cold_runs
        New processes; the first, which finds the files cold in memory, is not counted.
    sustained_s
        How long the whole way is repeated without a pause; 0 leaves that out.
    version
        Of the protocol: raised when what is measured changes.
    """

    warmup_runs: int = 10
    runs: int = 100
    cold_runs: int = 5
    sustained_s: float = 0.0
    version: int = 1


@dataclass(frozen=True)
class Settings:
    """How the bundle is run; None leaves a choice to the engine or the system."""

    engine: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Processor:
    """A processor as its system describes it; ``parts`` are its kinds of cores, by name where it is known."""

    architecture: str
    model: str | None
    parts: tuple[str, ...]
    features: tuple[str, ...]
    cores: int


@dataclass(frozen=True)
class Device:
    """What it ran on. A device that is ``emulated`` tells nothing about speed."""

    model: str | None
    soc: str | None
    kernel: str
    os: str | None
    processor: Processor
    memory_bytes: int | None
    governor: str | None
    emulated: bool


@dataclass(frozen=True)
class Software:
    """Versions of the interpreter and of every package that takes part."""

    python: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Model:
    """Which bundle; its hash is that of the manifest, which holds the hashes of all else."""

    system: str
    variant: str
    manifest_sha256: str
    audio_s: float


@dataclass(frozen=True)
class UsedArtefact:
    """An artefact as it was loaded; ``kernels`` counts what the engine really runs, in its own names."""

    part: str
    format: str
    precision: str
    bytes: int
    sha256: str
    recipe: str | None
    engine: str
    kernels: Mapping[str, int]


@dataclass(frozen=True)
class Conditions:
    """What the device said about itself at a moment; None where it says nothing.

    Parameters
    ----------
    at_s
        Seconds since the run began.
    temperature_c
        Of the hottest zone.
    frequency_hz
        Of the slowest core that is on.
    throttled
        What throttles it now, in the system's own terms; empty when nothing does.
    busy_cores
        Cores at work since the look before, for this program too; at the first look for others alone.
    """

    at_s: float
    temperature_c: float | None
    frequency_hz: float | None
    throttled: tuple[str, ...] | None
    busy_cores: float | None = None


@dataclass(frozen=True)
class ColdStart:
    """New processes, from before they are made to the first avatar.

    Parameters
    ----------
    interpreter, imports, load, first_inference
        Python itself; numpy, the engine and the runtime; opening the bundle and loading its parts; the first
        run of the encoder.
    first_avatar
        All of it: from the start of the process to a drawn avatar.
    """

    interpreter: Latency
    imports: Latency
    load: Latency
    first_inference: Latency
    first_avatar: Latency


@dataclass(frozen=True)
class Memory:
    """Bytes of a process that drew one avatar; PSS shares common pages fairly, where the system counts it."""

    peak_rss_bytes: int | None
    pss_bytes: int | None


@dataclass(frozen=True)
class FirstAvatar:
    """A call, heard in pieces of 20 ms: seconds of it, and of computing, before the first avatar."""

    heard_s: float
    computed_s: float


@dataclass(frozen=True)
class AccuracyCheck:
    """One output on this device against its golden values."""

    part: str
    output: str
    psnr_db: float | None
    cosine: float | None
    max_abs_relative: float | None
    problem: str | None


@dataclass(frozen=True)
class Sustained:
    """The whole way without a pause: what its first and last minute say, or halves where it is shorter."""

    seconds: float
    window_s: float
    first_s: Summary
    last_s: Summary
    slowdown: float
    samples: Samples


@dataclass(frozen=True)
class Energy:
    """Joules that a counter of the device saw during the warm rounds, of everything that ran on it."""

    source: str
    joules: float
    joules_per_round: float


@dataclass(frozen=True)
class Peer:
    """Another way to do what a part does, on the same input, by turns with voxtoon in one process.

    Parameters
    ----------
    part, peer
        What was run, and by whom; voxtoon itself is among them.
    version
        Of the peer.
    latency
        None where it could not be run.
    max_abs_relative
        Largest difference from voxtoon's own output, in shares of its scale; None where nothing is compared.
    problem
        Why it could not be run.
    """

    part: str
    peer: str
    version: str | None
    latency: Latency | None
    max_abs_relative: float | None
    problem: str | None = None


@dataclass(frozen=True)
class Record:
    """A run, whole or as far as it came: then ``problem`` says what ended it, and the rest is missing."""

    on: str
    created: str
    protocol: Protocol
    settings: Settings
    problem: str | None = None
    device: Device | None = None
    software: Software | None = None
    model: Model | None = None
    artefacts: tuple[UsedArtefact, ...] = ()
    cold_start: ColdStart | None = None
    memory: Memory | None = None
    accuracy: tuple[AccuracyCheck, ...] | None = None
    latency: Mapping[str, Latency] = field(default_factory=dict)
    overhead_s: float | None = None
    real_time_factor: float | None = None
    first_avatar: FirstAvatar | None = None
    sustained: Sustained | None = None
    energy: Energy | None = None
    conditions: tuple[Conditions, ...] = ()
    peers: tuple[Peer, ...] = ()
    format: str = FORMAT
    format_version: str = FORMAT_VERSION

    @property
    def accurate(self) -> bool | None:
        """Whether every output met its tolerance; None when that was not reached."""
        return None if self.accuracy is None else all(check.problem is None for check in self.accuracy)

    @property
    def model_bytes(self) -> int:
        """Bytes of the artefacts that were loaded."""
        return sum(artefact.bytes for artefact in self.artefacts)

    def to_json(self) -> dict[str, Any]:
        """Return objects, lists, texts and numbers."""
        found: dict[str, Any] = encode(self)
        return {"format": found.pop("format"), "format_version": found.pop("format_version"), **found}

    def save(self, path: Path) -> None:
        """Write it whole or not at all; raises InputError when the file cannot be written."""
        write_atomically({path: format_json(self.to_json()).encode("utf-8")})


def record_from_json(value: Any, where: str) -> Record:
    """Build a record of parsed JSON; ``where`` names it in an error.

    Raises
    ------
    InputError
        When it is something else, or of another major version, or not whole.
    """
    kind = value.get("format") if isinstance(value, dict) else type(value).__name__
    if kind != FORMAT:
        raise InputError(
            f"{where} is no record of `voxtoon bench`", got=f"format {kind!r}", expected=repr(FORMAT)
        )
    version = str(value.get("format_version"))
    if version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        raise InputError(
            f"{where} is a record of an unknown version",
            got=version,
            expected=f"{FORMAT_VERSION.split('.')[0]}.x",
            hint="update voxtoon",
        )
    try:
        return decode(Record, value, where)
    except VoxtoonError as error:
        raise InputError(f"{str(error).partition(';')[0]}", hint="measure again") from error


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read a record.

    Raises
    ------
    InputError
        When there is no such file, or `record_from_json` refuses it.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is too large for a record", got=f"{path.stat().st_size} bytes")
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read", got=error.strerror or error) from error
    try:
        value = parse_json(text, path.name)
    except VoxtoonError as error:
        raise InputError(str(error).partition(";")[0], hint="measure again") from error
    return record_from_json(value, path.name)
