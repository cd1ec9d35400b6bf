"""The manifest of a bundle: what ``manifest.json`` says, as frozen dataclasses (see ``docs/bundle.md``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from voxtoon.bundle_files import FILE_NAME, MANIFEST_NAME
from voxtoon.errors import CheckError, InputError
from voxtoon.front_end_spec import FrontEndSpec
from voxtoon.manifest_decode import AtLeast, Items, Pattern, decode
from voxtoon.manifest_json import encode, format_json, parse_json
from voxtoon.manifest_rules import check_references

FORMAT = "voxtoon-bundle"
FORMAT_VERSION = "1.0"
MAXIMUM_FILES = 500
MAXIMUM_MANIFEST_BYTES = 4 * 1024 * 1024

Count = Annotated[int, AtLeast(0)]
Size = Annotated[int, AtLeast(1)]
NotNegative = Annotated[float, AtLeast(0)]
Name = Annotated[str, Pattern(r"[a-z0-9][a-z0-9_.-]{0,63}", "a name of a-z, 0-9, '_', '.' and '-'")]
FileName = Annotated[
    str,
    Pattern(
        FILE_NAME,
        "a path inside the bundle: A-Z a-z 0-9 _ . - between single /, no piece starting with . or -",
    ),
]
Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits")]
Point = tuple[float, float]
Vector = tuple[float, ...]


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output of a part; a dimension is a number, or a name where its length is free."""

    name: str
    shape: tuple[Size | Name, ...]
    dtype: Literal["float32", "float16", "int64", "int32", "int8", "uint8", "bool"]
    axes: tuple[Name, ...]


@dataclass(frozen=True)
class Part:
    """One network: ``role`` tells what the runtime needs from what only evaluation does."""

    name: Name
    inputs: Annotated[tuple[TensorSpec, ...], Items(1)]
    outputs: Annotated[tuple[TensorSpec, ...], Items(1)]
    parameters: Count
    licence: str
    role: Literal["runtime", "evaluation"] = "runtime"
    minimum_frames: Size | None = None
    macs_per_clip: Count | None = None


@dataclass(frozen=True)
class Parity:
    """How far the worst output of an artefact is from its reference on real audio, and what was asked."""

    reference: str
    max_abs: NotNegative
    max_abs_relative: NotNegative
    psnr_db: float
    cosine: float
    tolerance: Mapping[str, float]


@dataclass(frozen=True)
class StateGrid:
    """State that an artefact keeps in integers: k stands for ``scale * (k - zero_point)``.

    A stream begins with zeros, which is to say with ``zero_point``.
    """

    dtype: Literal["int8", "uint8"]
    scale: NotNegative
    zero_point: int


@dataclass(frozen=True)
class Artefact:
    """One part in one format at one precision; ``parity`` is None where the file is its own reference.

    ``file`` is a file of the bundle, or a folder of it; then the artefact is all the files in that. State
    that ``states`` does not name is as the part declares it.
    """

    part: Name
    format: Name
    precision: Name
    file: FileName
    minimum_runtime: Mapping[str, str] = field(default_factory=dict)
    recipe: str | None = None
    parity: Parity | None = None
    quality: Mapping[str, float] | None = None
    states: Mapping[Name, StateGrid] = field(default_factory=dict)


@dataclass(frozen=True)
class FileEntry:
    """What a file of the bundle must be."""

    bytes: Count
    sha256: Sha256


@dataclass(frozen=True)
class Warp:
    """The numbers of the polyharmonic warp from the mean shape to the landmarks."""

    order: Size
    regularisation: NotNegative
    boundary_points_per_edge: Count


@dataclass(frozen=True)
class Head:
    """Where the head is in most pictures of a decoder that draws them itself, as shares of their side."""

    left: NotNegative
    right: NotNegative
    brows: NotNegative
    chin: NotNegative


@dataclass(frozen=True)
class FaceShape:
    """The faces of a bundle: their size, what the landmarks or the picture need, the feature's statistics.

    A decoder that gives landmarks and a texture needs the topology, the mean landmarks in pixels of the face
    and the warp; one that draws the picture itself has none of them, and perhaps a head.
    """

    image_size_px: Size
    topology: Literal["ibug68"] | None = None
    mean_landmarks: Annotated[tuple[Point, ...], Items(68, 68)] | None = None
    warp: Warp | None = None
    head: Head | None = None
    mean_feature: Vector | None = None
    feature_std: Vector | None = None


@dataclass(frozen=True)
class Domain:
    """Where the training voices lay: how far a voice is from them is measured in the whitened descriptor."""

    descriptor: Name
    mean: Vector
    whitener: tuple[Vector, ...]
    distance_p50: NotNegative
    distance_p99: NotNegative


@dataclass(frozen=True)
class AvatarStatistics:
    """Mean and standard deviation of each avatar parameter over the training faces."""

    mean: Mapping[str, float]
    std: Mapping[str, NotNegative]


@dataclass(frozen=True)
class VoiceActivity:
    """The part that tells speech from silence, and how it is fed."""

    part: Name
    window_samples: Size
    context_samples: Count
    threshold: float


@dataclass(frozen=True)
class Streaming:
    """The parts that are the encoder on a stream, and how frames and outputs meet: see docs/streaming.md.

    Whatever input of the step is not ``frames`` is state, and its successor the output ``next_<name>``.
    """

    step: Name
    head: Name
    frames_per_call: Size
    lead_frames: Count
    first_output_frames: Size
    stride_frames: Size


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds. ``files`` names every file of the bundle but the manifest itself."""

    system: Name
    variant: Name
    front_end: FrontEndSpec
    parts: Annotated[tuple[Part, ...], Items(1)]
    artefacts: Annotated[tuple[Artefact, ...], Items(1)]
    files: Annotated[Mapping[FileName, FileEntry], Items(1, MAXIMUM_FILES)]
    face: FaceShape
    model_card: FileName
    licence: str
    intended_use: str
    limits: str
    golden: Mapping[Name, FileName] = field(default_factory=dict)
    domain: Domain | None = None
    avatar_statistics: AvatarStatistics | None = None
    voice_activity: VoiceActivity | None = None
    streaming: Streaming | None = None
    format: str = FORMAT
    format_version: str = FORMAT_VERSION

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Build a manifest from parsed JSON, checking every field and every reference between fields.

        Raises
        ------
        InputError
            When it is another format, or a major version this reader does not know.
        CheckError
            When a field is missing or wrong, or names something the manifest does not list.
        """
        _check_version(value)
        manifest = decode(cls, value, MANIFEST_NAME)
        check_references(manifest)
        return manifest

    @classmethod
    def from_bytes(cls, text: bytes) -> Manifest:
        """Build a manifest from the bytes of ``manifest.json``; raises as `from_json` does."""
        return cls.from_json(parse_json(text, MANIFEST_NAME))

    def to_json(self) -> dict[str, Any]:
        """Return what ``manifest.json`` holds, as objects, lists, texts and numbers."""
        version = {"format": self.format, "format_version": self.format_version}
        found: dict[str, Any] = encode(self)
        return {**version, **found}

    def to_bytes(self) -> bytes:
        """Return the bytes of ``manifest.json``."""
        return format_json(self.to_json()).encode("utf-8")

    def part(self, name: str) -> Part:
        """Return the part called ``name``; raises InputError where there is none."""
        for part in self.parts:
            if part.name == name:
                return part
        known = ", ".join(part.name for part in self.parts)
        raise InputError("no such part in the bundle", got=repr(name), expected=known)

    def artefacts_of(self, part: str) -> tuple[Artefact, ...]:
        """Return the artefacts of the part called ``part``, in order; raises as `part` does."""
        name = self.part(part).name
        return tuple(artefact for artefact in self.artefacts if artefact.part == name)

    def files_in(self, folder: str) -> tuple[str, ...]:
        """Return the names of the files in a folder of the bundle, and in the folders in it."""
        return tuple(name for name in self.files if name.startswith(f"{folder}/"))


def _check_version(value: Any) -> None:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else type(value).__name__
        raise InputError(
            f"{MANIFEST_NAME} is not a voxtoon bundle's", got=f"format {found!r}", expected=repr(FORMAT)
        )
    version = value.get("format_version")
    major = FORMAT_VERSION.split(".")[0]
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", version):
        raise CheckError(
            f"{MANIFEST_NAME}.format_version", got=ascii(version), expected=f"text like {FORMAT_VERSION!r}"
        )
    if version.split(".")[0] != major:
        raise InputError(
            "bundle of an unknown version", got=version, expected=f"{major}.x", hint="update voxtoon"
        )
