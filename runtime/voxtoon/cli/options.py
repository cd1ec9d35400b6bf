"""Options that several commands share, and what they all say."""

from __future__ import annotations

import argparse
from typing import Any

CAPTION = "a cartoon, not a likeness"

_REASONS = {
    "too_little_speech": "too little speech",
    "not_speech": "not speech",
    "unlike_training": "unlike the voices the model was trained on",
}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Declare which bundle to run, and how."""
    parser.add_argument("--bundle", metavar="B", help="folder or .voxtoon file (default: the embedded model)")
    parser.add_argument("--engine", default="auto", help="auto, onnx or litert (default: %(default)s)")
    parser.add_argument(
        "--precision",
        default="auto",
        metavar="P",
        help="auto, int8, fp32, fp16 or int8-unverified (default: the first of these that the bundle holds)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine (default: its own)")
    parser.add_argument(
        "--exaggeration",
        type=float,
        default=0.0,
        metavar="E",
        help="decode feature + E (feature - mean feature) (default: 0)",
    )


def add_avatar_options(parser: argparse.ArgumentParser) -> None:
    """Declare how the avatar is drawn."""
    parser.add_argument(
        "--gain", type=float, metavar="G", help="caricature about the mean face; 0 draws the neutral avatar"
    )
    parser.add_argument(
        "--hair",
        default="reconstructed",
        metavar="H",
        help="reconstructed or neutral: whether the hair follows the voice (default: %(default)s)",
    )
    parser.add_argument(
        "--skin",
        default="neutral",
        metavar="S",
        help="neutral, a tone of the palette, #RRGGBB, or reconstructed: only the last is taken from the "
        "voice (default: %(default)s)",
    )


def drawing_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `draw_avatar` that were given."""
    gain = {} if arguments.gain is None else {"gain": arguments.gain}
    return {**gain, "hair": arguments.hair, "skin": arguments.skin}


NEUTRAL_GEOMETRY = "the shape of the face is neutral: this model gives a picture and no landmarks"


def trust_line(*, speech_s: float, confidence: float, confidence_floor: float, reason: str) -> str:
    """One line about how much was heard and how far to trust it."""
    line = f"{speech_s:.1f} s of speech, confidence {confidence:.2f}"
    if confidence < confidence_floor:
        line += f": {_REASONS[reason]}, so the avatar is the neutral one"
    return line
