"""``voxtoon face``: the cartoon of the voice in a sound file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.cli.options import (
    CAPTION,
    NEUTRAL_GEOMETRY,
    add_avatar_options,
    add_model_options,
    drawing_options,
    trust_line,
)
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon.avatar import Avatar
    from voxtoon.face import Face


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "face",
        help="draw the cartoon of the voice in a sound file",
        description="Draw the cartoon of the voice in a sound file: a cartoon, not a likeness. With too "
        "little speech it is the neutral avatar, and that is no error.",
    )
    parser.add_argument("audio", type=Path, metavar="CALL.wav", help="any sound file; its first channel")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("avatar.svg"),
        metavar="AVATAR",
        help=".svg or .png (default: %(default)s in the working folder)",
    )
    parser.add_argument("--image", type=Path, metavar="FACE.png", help="write the reconstructed face as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_options(parser)
    add_avatar_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Listen, draw, write; returns the exit code."""
    _check_outputs(arguments)

    from voxtoon.atomic_file import write_atomically
    from voxtoon.avatar import draw_avatar
    from voxtoon.image_file import encode_png

    face = _reconstruct(arguments)
    avatar = draw_avatar(face, **drawing_options(arguments))
    files = {arguments.output: _encoded(avatar, arguments.output)}
    if arguments.image is not None:
        files[arguments.image] = encode_png(face.image)
    write_atomically(files)
    print(_json(face, avatar, arguments) if arguments.json else _text(face, list(files)))
    return 0


def _reconstruct(arguments: argparse.Namespace) -> Face:
    from voxtoon.audio import audio_blocks
    from voxtoon.bundle import open_bundle

    with (
        audio_blocks(arguments.audio) as (sample_rate, blocks),
        open_bundle(arguments.bundle) as bundle,
    ):
        pipeline = bundle.pipeline(
            engine=arguments.engine, precision=arguments.precision, threads=arguments.threads
        )
        return pipeline.reconstruct_blocks(
            blocks, sample_rate=sample_rate, exaggeration=arguments.exaggeration
        )


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse names that cannot be written before an hour of sound is heard for them."""
    suffixes: dict[Path, tuple[str, ...]] = {arguments.output: (".svg", ".png")}
    if arguments.image is not None:
        if arguments.image == arguments.output:
            raise InputError("avatar and face have one name", got=repr(str(arguments.image)))
        suffixes[arguments.image] = (".png",)
    for path, allowed in suffixes.items():
        if path.suffix.lower() not in allowed:
            wanted = f"a name that ends in {' or '.join(allowed)}"
            raise InputError("output file", got=repr(str(path)), expected=wanted)
        if not path.parent.is_dir():
            raise InputError(f"cannot write {path}", got="no such folder", hint="make the folder first")


def _encoded(avatar: Avatar, path: Path) -> bytes:
    return avatar.png() if path.suffix.lower() == ".png" else avatar.svg.encode()


def _text(face: Face, written: list[Path]) -> str:
    trust = trust_line(
        speech_s=face.speech_s,
        confidence=face.confidence,
        confidence_floor=face.confidence_floor,
        reason=face.reason,
    )
    neutral = f"{NEUTRAL_GEOMETRY}\n" if face.geometry == "neutral" else ""
    return f"{trust}\n{neutral}wrote {' and '.join(map(str, written))}: {CAPTION}"


def _json(face: Face, avatar: Avatar, arguments: argparse.Namespace) -> str:
    return json.dumps(
        {
            "avatar": str(arguments.output),
            "image": None if arguments.image is None else str(arguments.image),
            "caption": CAPTION,
            **face.to_json(),
            "parameters": avatar.parameters.to_json(),
        }
    )
