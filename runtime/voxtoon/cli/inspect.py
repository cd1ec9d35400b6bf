"""``voxtoon inspect``: what a bundle or an artefact holds."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.manifest import Manifest

_ONNX_SUFFIX = ".onnx"
_NO_OPERATORS = "operators are counted by the extra: pip install 'voxtoon[export]'"


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "inspect",
        help="what a bundle or an artefact holds",
        description="Tell what a bundle or an artefact holds: parts, shapes, bytes, parameters, "
        "multiply-accumulates, operators, parity, front end, model card.",
    )
    parser.add_argument(
        "path",
        type=Path,
        nargs="?",
        metavar="BUNDLE|ARTEFACT",
        help="folder, .voxtoon file or .onnx file (default: the embedded model)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print what is there; returns the exit code."""
    path: Path | None = arguments.path
    if path is not None and path.suffix == _ONNX_SUFFIX and not path.is_dir():
        found = _describe_artefact(path)
        lines = _artefact_text(found)
    else:
        from voxtoon.bundle import open_bundle

        with open_bundle(path) as bundle:
            found = _describe_bundle(bundle)
        lines = _bundle_text(found)
    print(json.dumps(found, indent=2) if arguments.json else "\n".join(map(_plain, lines)))
    return 0


def _describe_artefact(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}", got=error.strerror, expected="an .onnx file") from error
    return {
        "path": str(path),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "summary": _summary(content),
    }


def _describe_bundle(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    found = manifest.to_json()
    for artefact in found["artefacts"]:
        artefact |= _size_and_hash(manifest, artefact["file"])
        if artefact["format"] == "onnx":
            artefact["summary"] = _summary(bundle.read(artefact["file"]))
        else:
            artefact["summary"] = _operator_counts(bundle, artefact["format"], artefact["file"])
    wanted = (
        "format_version",
        "system",
        "variant",
        "licence",
        "intended_use",
        "limits",
        "front_end",
        "parts",
        "streaming",
    )
    return {
        "path": str(bundle.path),
        "bytes": sum(entry.bytes for entry in manifest.files.values()),
        "files": len(manifest.files),
        **{name: found[name] for name in wanted},
        "artefacts": found["artefacts"],
        "model_card": bundle.read(manifest.model_card).decode("utf-8", "replace"),
    }


def _size_and_hash(manifest: Manifest, file: str) -> dict[str, Any]:
    """Return ``bytes`` and ``sha256`` of an artefact; a folder has no hash of its own."""
    if file in manifest.files:
        return dataclasses.asdict(manifest.files[file])
    return {"bytes": sum(manifest.files[name].bytes for name in manifest.files_in(file)), "sha256": None}


def _summary(content: bytes) -> dict[str, Any] | None:
    """Return the counts of an ONNX model, None where what counts them is not installed."""
    try:
        summarise = import_module("voxtoon_export.onnx_summary").summarise
        found: dict[str, Any] = dataclasses.asdict(summarise(content))
    except ImportError:
        return None
    return found


def _operator_counts(bundle: Bundle, file_format: str, file: str) -> dict[str, Any] | None:
    """Return the operators of an artefact that is not ONNX, None where what counts them is not installed."""
    try:
        count = import_module("voxtoon_export.lowering").format_named(file_format).operators
        content = bundle.read(file) if file in bundle.manifest.files else bundle.read_folder(file)
        return None if count is None else {"operators": count(content)}
    except ImportError:
        return None


def _artefact_text(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['path']}: ONNX, {_bytes(found['bytes'])}, sha256 {found['sha256']}"
    summary = found["summary"]
    if summary is None:
        yield _NO_OPERATORS
        return
    for side in ("inputs", "outputs"):
        for name, shape in summary[side].items():
            yield f"  {side[:-1]} {name} {_shape(shape)}"
    yield f"  opset {summary['opset']}, {summary['parameters']:,} parameters, {_operators(summary)}"
    yield "  " + ", ".join(f"{kind} {count}" for kind, count in summary["operators"].items())


def _bundle_text(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['path']}: {found['system']}, variant {found['variant']}, format {found['format_version']}"
    yield f"  {_bytes(found['bytes'])} in {found['files']} files, licence {found['licence']}"
    settings = (f"{name} {value}" for name, value in found["front_end"].items() if value is not None)
    yield f"front end: {', '.join(settings)}"
    yield "parts:"
    for part in found["parts"]:
        yield from _part_text(part)
    if found["streaming"] is not None:
        yield _streaming_text(found["streaming"])
    yield "artefacts:"
    for artefact in found["artefacts"]:
        yield from _artefact_lines(artefact)
    if any(item["summary"] is None for item in found["artefacts"]):
        yield f"  {_NO_OPERATORS}"
    yield f"intended use: {found['intended_use']}"
    yield f"limits: {found['limits']}"
    yield "model card:"
    yield from (f"  {line}".rstrip() for line in found["model_card"].splitlines())


def _part_text(part: dict[str, Any]) -> Iterator[str]:
    facts = [part["role"], f"{part['parameters']:,} parameters"]
    if part["macs_per_clip"] is not None:
        facts.append(f"{part['macs_per_clip'] / 1e6:,.1f} M MACs per clip")
    if part["minimum_frames"] is not None:
        facts.append(f"at least {part['minimum_frames']} frames")
    yield f"  {part['name']}: {', '.join(facts)}, licence {part['licence']}"
    for side in ("inputs", "outputs"):
        for tensor in part[side]:
            axes = ", ".join(tensor["axes"])
            yield f"    {side[:-1]} {tensor['name']} {tensor['dtype']} {_shape(tensor['shape'])} ({axes})"


def _streaming_text(streaming: dict[str, Any]) -> str:
    return (
        f"streaming: {streaming['step']} and {streaming['head']}, "
        f"{streaming['frames_per_call']} frames a call "
        f"({streaming['lead_frames']} of the first before the recording), the first output after "
        f"{streaming['first_output_frames']} frames, then one every {streaming['stride_frames']}"
    )


def _artefact_lines(artefact: dict[str, Any]) -> Iterator[str]:
    kind = f"{artefact['format']} {artefact['precision']}"
    yield f"  {artefact['file']}: {artefact['part']}, {kind}, {_bytes(artefact['bytes'])}"
    summary = artefact["summary"]
    if summary is not None and "opset" in summary:
        yield f"    opset {summary['opset']}, {_operators(summary)}"
    elif summary is not None:
        counts = summary["operators"]
        kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
        yield f"    {sum(counts.values())} operators: {kinds}"
    parity = artefact["parity"]
    if parity is not None:
        yield (
            f"    against {parity['reference']}: max abs {parity['max_abs']:.2g} "
            f"({parity['max_abs_relative']:.2g} of the scale), PSNR {parity['psnr_db']:.1f} dB, "
            f"cosine {parity['cosine']:.9f}"
        )


def _operators(summary: dict[str, Any]) -> str:
    return (
        f"{sum(summary['operators'].values())} operators: {summary['float_operators']} float, "
        f"{summary['integer_operators']} integer, {summary['other_operators']} that move or convert"
    )


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _bytes(count: int) -> str:
    return f"{count:,} bytes" if count < 100_000 else f"{count / 1e6:,.2f} MB"


def _plain(line: str) -> str:
    """Drop what a terminal would obey: a bundle's texts are anyone's."""
    return "".join(character if character.isprintable() else "?" for character in line)
