"""What the commands that hear a call share: a line for each update, and the avatar drawn as it changes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.cli.options import NEUTRAL_GEOMETRY, drawing_options, trust_line
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon.avatar import Avatar
    from voxtoon.stream import CallStream, Update

FRAME_S = 0.1
"""Of the call, between two drawings of an avatar that moves."""
_CLEAR = "\r\033[K"


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Declare when there are updates and what becomes of them."""
    parser.add_argument(
        "--update-every",
        type=float,
        default=0.5,
        metavar="S",
        help="seconds of speech between two updates (default: %(default)s)",
    )
    parser.add_argument(
        "--avatar", type=Path, metavar="AVATAR.svg", help="draw the avatar here, again and again as it moves"
    )
    parser.add_argument("--avatar-dir", type=Path, metavar="DIR", help="write the avatar of each update here")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")


class LiveCall:
    """A call on the command line: chunks go in, lines and drawings come out.

    Parameters
    ----------
    call
        Whose chunks are pushed here.
    arguments
        With the options of `add_live_options` and `add_avatar_options`.

    Raises
    ------
    InputError
        When an avatar cannot be written where it was asked for.
    """

    def __init__(self, call: CallStream, arguments: argparse.Namespace) -> None:
        from voxtoon.avatar import Morph

        self._call = call
        self._arguments = arguments
        self._morph = Morph()
        self._drawn_s = 0.0
        self._count = 0
        self._on_terminal = sys.stdout.isatty() and not arguments.json
        _check_avatar(arguments.avatar)
        _make_folder(arguments.avatar_dir)

    def push(self, chunk: bytes) -> None:
        """Hear a chunk, at most `FRAME_S` long where the avatar shall move smoothly."""
        for update in self._call.push(chunk):
            self._show(update)
        if self._arguments.avatar is not None and self._call.heard_s >= self._drawn_s + FRAME_S:
            self._draw_moving()
        if self._on_terminal:
            print(_CLEAR + _listening(self._call), end="", flush=True)

    def finish(self) -> None:
        """End the call: the last line, and the avatar where it was going."""
        last = self._call.flush()
        if last is None:
            return
        self._show(last)
        if self._arguments.avatar is not None:
            self._avatar(last).save(self._arguments.avatar)

    def _show(self, update: Update) -> None:
        self._count += 1
        avatar = self._arguments.avatar
        if self._arguments.avatar_dir is not None:
            avatar = self._arguments.avatar_dir / f"avatar-{self._count:04d}.svg"
            self._avatar(update).save(avatar)
        if self._arguments.avatar is not None:
            aim = self._avatar(update).parameters
            self._morph.aim(aim, confidence=update.face.confidence, at_s=max(update.heard_s, self._drawn_s))
        told = {**update.to_json(), "avatar": None if avatar is None else str(avatar)}
        line = json.dumps(told) if self._arguments.json else _text(told)
        print((_CLEAR if self._on_terminal else "") + line, flush=True)

    def _draw_moving(self) -> None:
        from voxtoon.avatar import draw

        self._drawn_s = self._call.heard_s
        if not self._morph.is_still:
            draw(self._morph.at(self._drawn_s)).save(self._arguments.avatar)

    def _avatar(self, update: Update) -> Avatar:
        from voxtoon.avatar import draw_avatar

        return draw_avatar(update.face, **drawing_options(self._arguments))


def _listening(call: CallStream) -> str:
    return f"{call.heard_s:7.1f} s  {call.state}, {call.speech_s:.1f} s of speech"


def _text(told: dict[str, Any]) -> str:
    trust = trust_line(
        speech_s=told["speech_s"],
        confidence=told["confidence"],
        confidence_floor=told["confidence_floor"],
        reason=told["reason"],
    )
    if told["angle_deg"] is not None and told["reason"] == "ok":
        trust += f", moved {told['angle_deg']:.1f} degrees"
    if told["narrowband"]:
        trust += ", telephone sound"
    if told["second_voice"]:
        trust += "; somebody else was heard"
    if told["final"] and told["geometry"] == "neutral":
        trust += f"; {NEUTRAL_GEOMETRY}"
    ending = "" if told["avatar"] is None else f" -> {told['avatar']}"
    return f"{told['heard_s']:.1f} s {'end' if told['final'] else told['state']}: {trust}{ending}"


def _check_avatar(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in (".svg", ".png"):
        raise InputError("avatar file", got=f"{path.name!r}", expected="a name that ends in .svg or .png")
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}", got="no such folder", hint="make the folder first")


def _make_folder(folder: Path | None) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}", got=error.strerror or error) from error
