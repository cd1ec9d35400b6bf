"""The rules between the fields of a manifest, which no schema of single fields can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from voxtoon.bundle_files import MANIFEST_NAME
from voxtoon.errors import CheckError

if TYPE_CHECKING:
    from voxtoon.manifest import Artefact, FileEntry, Manifest, Part, Streaming, TensorSpec

_LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}


def check_references(manifest: Manifest) -> None:
    """Raise CheckError where a name is listed twice, or not listed at all, or where two lengths differ."""
    _check_once("part", (part.name for part in manifest.parts))
    _check_once("artefact", (f"{a.part} {a.format} {a.precision}" for a in manifest.artefacts))
    _check_once("file (upper and lower case count as one)", (name.lower() for name in manifest.files))
    parts = {part.name for part in manifest.parts}
    for index, artefact in enumerate(manifest.artefacts):
        _check_listed(f"artefacts[{index}].part", artefact.part, parts, "parts")
        if not manifest.files_in(artefact.file):
            _check_listed(f"artefacts[{index}].file", artefact.file, manifest.files, "files")
        _check_states(artefact, next(part for part in manifest.parts if part.name == artefact.part))
    if manifest.voice_activity is not None:
        _check_listed("voice_activity.part", manifest.voice_activity.part, parts, "parts")
    if manifest.streaming is not None:
        _check_streaming(manifest, manifest.streaming)
    for name, file in manifest.golden.items():
        _check_listed(f"golden[{name!r}]", file, manifest.files, "files")
    _check_listed("model_card", manifest.model_card, manifest.files, "files")
    _check_names(manifest.files)
    _check_lengths(manifest)
    _check_face(manifest)


def _check_states(artefact: Artefact, part: Part) -> None:
    where = f"{MANIFEST_NAME}: states of {artefact.file}"
    outputs = {tensor.name for tensor in part.outputs}
    known = [tensor.name for tensor in part.inputs if f"next_{tensor.name}" in outputs]
    for name, grid in artefact.states.items():
        if name not in known:
            raise CheckError(where, got=repr(name), expected=", ".join(known) or "none")
        low, high = _LIMITS[grid.dtype]
        if not low <= grid.zero_point <= high:
            raise CheckError(
                f"{where}: {name}.zero_point", got=grid.zero_point, expected=f"{low} to {high}, {grid.dtype}"
            )


def _check_once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CheckError(
                f"{MANIFEST_NAME} lists one {what} twice", got=name, hint="export the bundle again"
            )
        seen.add(name)


def _check_listed(where: str, name: str, known: Iterable[str], where_known: str) -> None:
    if name not in known:
        raise CheckError(f"{MANIFEST_NAME}.{where}", got=repr(name), expected=f"one that {where_known} lists")


def _check_names(files: Mapping[str, FileEntry]) -> None:
    if MANIFEST_NAME in {name.lower() for name in files}:
        raise CheckError(
            f"{MANIFEST_NAME}.files", got=repr(MANIFEST_NAME), expected="every file but the manifest"
        )
    for name in files:
        folder = name.rpartition("/")[0]
        while folder:
            if folder in files:
                raise CheckError(
                    f"{MANIFEST_NAME}.files", got=f"{folder!r} and {name!r}", expected="a file or a folder"
                )
            folder = folder.rpartition("/")[0]


def _check_lengths(manifest: Manifest) -> None:
    for part in manifest.parts:
        for tensor in (*part.inputs, *part.outputs):
            _check_length(f"parts[{part.name!r}] {tensor.name} axes", tensor.axes, len(tensor.shape))
    face, domain, statistics = manifest.face, manifest.domain, manifest.avatar_statistics
    if face.mean_feature is not None and face.feature_std is not None:
        _check_length("face.feature_std", face.feature_std, len(face.mean_feature))
    if domain is not None:
        for row in domain.whitener:
            _check_length("domain.whitener, each row", row, len(domain.mean))
    if statistics is not None and statistics.mean.keys() != statistics.std.keys():
        raise CheckError(f"{MANIFEST_NAME}.avatar_statistics", expected="mean and std of the same parameters")


def _check_face(manifest: Manifest) -> None:
    face = manifest.face
    geometry = {"topology": face.topology, "mean_landmarks": face.mean_landmarks, "warp": face.warp}
    missing = ", ".join(name for name, value in geometry.items() if value is None)
    decoded = {output.name for part in manifest.parts if part.name == "decoder" for output in part.outputs}
    if missing and (len(missing.split(", ")) < len(geometry) or "landmarks" in decoded):
        raise CheckError(f"{MANIFEST_NAME}.face", got=f"no {missing}", expected=", ".join(geometry))
    head = face.head
    if head is not None and not (head.left < head.right <= 1 and head.brows < head.chin <= 1):
        raise CheckError(f"{MANIFEST_NAME}.face.head", expected="left < right <= 1 and brows < chin <= 1")


def _check_streaming(manifest: Manifest, streaming: Streaming) -> None:
    parts = {part.name: part for part in manifest.parts}
    _check_listed("streaming.step", streaming.step, parts, "parts")
    _check_listed("streaming.head", streaming.head, parts, "parts")
    step, head = parts[streaming.step], parts[streaming.head]
    inputs, outputs = _tensors(step.inputs), _tensors(step.outputs)
    _check_names_of(step, "inputs", inputs, {"frames"})
    successors = {f"next_{name}" for name in inputs if name != "frames"}
    _check_names_of(step, "outputs", outputs, {"trunk", "valid", *successors})
    _check_names_of(head, "inputs", _tensors(head.inputs), {"mean"})
    _check_names_of(head, "outputs", _tensors(head.outputs), {"feature"})
    for name, shape in inputs.items():
        if name != "frames" and (outputs[f"next_{name}"] != shape or not _is_fixed(shape)):
            got = f"{list(shape)} and {list(outputs[f'next_{name}'])}"
            raise CheckError(f"{MANIFEST_NAME}.parts[{step.name!r}] {name}", got=got, expected="one shape")
    trunk, mean = outputs["trunk"], _tensors(head.inputs)["mean"]
    calls = (1, streaming.frames_per_call, *inputs["frames"][2:]), (1, 1, *trunk[2:])
    if (inputs["frames"], mean) != calls or not (_is_fixed(inputs["frames"]) and _is_fixed(trunk)):
        raise CheckError(
            f"{MANIFEST_NAME}.streaming",
            got=f"frames {list(inputs['frames'])}, trunk {list(trunk)}, mean {list(mean)}",
            expected=f"[1, {streaming.frames_per_call}, ...], [1, outputs, ...] and [1, 1, ...] of a trunk's",
        )
    if streaming.frames_per_call % streaming.stride_frames:
        raise CheckError(
            f"{MANIFEST_NAME}.streaming.frames_per_call",
            got=streaming.frames_per_call,
            expected=f"a multiple of stride_frames, {streaming.stride_frames}",
        )
    if streaming.lead_frames >= streaming.frames_per_call:
        raise CheckError(
            f"{MANIFEST_NAME}.streaming.lead_frames",
            got=streaming.lead_frames,
            expected=f"less than frames_per_call, {streaming.frames_per_call}",
        )


def _tensors(tensors: Iterable[TensorSpec]) -> dict[str, tuple[int | str, ...]]:
    return {tensor.name: tensor.shape for tensor in tensors}


def _is_fixed(shape: Iterable[int | str]) -> bool:
    return all(isinstance(size, int) for size in shape)


def _check_names_of(part: Part, side: str, names: Iterable[str], wanted: set[str]) -> None:
    missing = sorted(wanted - set(names))
    if missing:
        raise CheckError(
            f"{MANIFEST_NAME}.parts[{part.name!r}].{side}", got=f"no {missing[0]}", expected=", ".join(names)
        )


def _check_length(where: str, values: tuple[Any, ...], length: int) -> None:
    if len(values) != length:
        raise CheckError(f"{MANIFEST_NAME}.{where}", got=f"{len(values)} numbers", expected=str(length))
