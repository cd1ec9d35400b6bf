"""``voxtoon stream``: the cartoon of a call as it goes on, from PCM on standard input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from voxtoon.cli.options import (
    NEUTRAL_GEOMETRY,
    add_avatar_options,
    add_model_options,
    drawing_options,
    trust_line,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voxtoon.face import Face
    from voxtoon.pcm import PcmDecoder
    from voxtoon.stream import State

_READ_BYTES = 65_536


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "stream",
        help="the same, live, from PCM on standard input",
        description="Draw the cartoon of a call as it goes on: mono PCM in on standard input, one line out "
        "for each update and one at the end.",
    )
    parser.add_argument("--rate", type=int, default=8000, metavar="HZ", help="sample rate (default: 8000)")
    parser.add_argument(
        "--format", default="s16le", metavar="F", help="s16le, f32le, mulaw or alaw (default: %(default)s)"
    )
    parser.add_argument(
        "--update-every",
        type=float,
        default=0.5,
        metavar="S",
        help="seconds of speech between two updates (default: %(default)s)",
    )
    parser.add_argument("--avatar-dir", type=Path, metavar="DIR", help="write the avatar of each update here")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    add_model_options(parser)
    add_avatar_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hear standard input to its end; returns the exit code."""
    from voxtoon.bundle import open_bundle
    from voxtoon.pcm import PcmDecoder

    decoder = PcmDecoder(arguments.format)
    if arguments.avatar_dir is not None:
        _make_folder(arguments.avatar_dir)
    with open_bundle(arguments.bundle) as bundle:
        pipeline = bundle.pipeline(
            engine=arguments.engine, precision=arguments.precision, threads=arguments.threads
        )
        with pipeline.stream(
            sample_rate=arguments.rate,
            update_every_speech_s=arguments.update_every,
            exaggeration=arguments.exaggeration,
        ) as call:
            updates = _Updates(arguments)
            samples = 0
            for chunk in _chunks(sys.stdin.buffer, decoder, chunk_samples=max(1, arguments.rate // 10)):
                samples += len(chunk)
                for face in call.push(chunk):
                    updates.show(face, heard_s=call.heard_s, state=call.state)
            last = call.flush()
            if last is not None:
                updates.show(last, heard_s=samples / arguments.rate, state=call.state, final=True)
    return 0


class _Updates:
    """Prints the updates of a call and writes their avatars."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._count = 0

    def show(self, face: Face, *, heard_s: float, state: State, final: bool = False) -> None:
        self._count += 1
        avatar = self._write_avatar(face)
        told = {
            "heard_s": round(heard_s, 3),
            "state": state,
            "final": final,
            "avatar": avatar,
            **face.to_json(),
        }
        print(json.dumps(told) if self._arguments.json else _text(told), flush=True)

    def _write_avatar(self, face: Face) -> str | None:
        if self._arguments.avatar_dir is None:
            return None
        from voxtoon.atomic_file import write_atomically
        from voxtoon.avatar import draw_avatar

        path: Path = self._arguments.avatar_dir / f"avatar-{self._count:04d}.svg"
        avatar = draw_avatar(face, **drawing_options(self._arguments))
        write_atomically({path: avatar.svg.encode()})
        return str(path)


def _chunks(source: BinaryIO, decoder: PcmDecoder, *, chunk_samples: int) -> Iterator[NDArray[np.float32]]:
    """What there is to read, as soon as there is something, in chunks too short for two updates."""
    read = getattr(source, "read1", source.read)
    while data := read(_READ_BYTES):
        samples = decoder.push(data)
        for start in range(0, len(samples), chunk_samples):
            yield samples[start : start + chunk_samples]


def _make_folder(folder: Path) -> None:
    from voxtoon.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}", got=error.strerror or error) from error


def _text(told: dict[str, Any]) -> str:
    trust = trust_line(
        speech_s=told["speech_s"],
        confidence=told["confidence"],
        confidence_floor=told["confidence_floor"],
        reason=told["reason"],
    )
    if told["final"] and told["geometry"] == "neutral":
        trust += f"; {NEUTRAL_GEOMETRY}"
    ending = "" if told["avatar"] is None else f" -> {told['avatar']}"
    return f"{told['heard_s']:.1f} s {'end' if told['final'] else told['state']}: {trust}{ending}"
