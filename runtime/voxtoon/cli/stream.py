"""``voxtoon stream``: the cartoon of a call as it goes on, from PCM on standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from voxtoon.cli.live import FRAME_S, LiveCall, add_live_options
from voxtoon.cli.options import add_avatar_options, add_model_options

_READ_BYTES = 65_536


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "stream",
        help="the same, live, from PCM on standard input",
        description="Draw the cartoon of a call as it goes on: PCM in on standard input, one line out for "
        "each update and one at the end.",
    )
    parser.add_argument("--rate", type=int, default=8000, metavar="HZ", help="sample rate (default: 8000)")
    parser.add_argument(
        "--format",
        "--encoding",
        default="s16le",
        metavar="F",
        help="s16le, f32le, mulaw or alaw (default: %(default)s)",
    )
    parser.add_argument(
        "--channels", type=int, default=1, metavar="N", help="how many are interleaved (default: 1)"
    )
    parser.add_argument(
        "--channel", type=int, default=0, metavar="I", help="which of them to hear (default: 0)"
    )
    add_live_options(parser)
    add_model_options(parser)
    add_avatar_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Hear standard input to its end; returns the exit code."""
    from voxtoon.bundle import open_bundle
    from voxtoon.pcm import PCM_FORMATS

    with open_bundle(arguments.bundle) as bundle:
        pipeline = bundle.pipeline(
            engine=arguments.engine, precision=arguments.precision, threads=arguments.threads
        )
        with pipeline.stream(
            sample_rate=arguments.rate,
            encoding=arguments.format,
            channels=arguments.channels,
            channel=arguments.channel,
            update_every_speech_s=arguments.update_every,
            exaggeration=arguments.exaggeration,
        ) as call:
            live = LiveCall(call, arguments)
            sample_bytes = PCM_FORMATS[arguments.format.removeprefix("pcm_")].bytes_per_sample
            frame_bytes = max(1, int(FRAME_S * arguments.rate)) * arguments.channels * sample_bytes
            for chunk in _chunks(sys.stdin.buffer, most_bytes=frame_bytes):
                live.push(chunk)
            live.finish()
    return 0


def _chunks(source: BinaryIO, *, most_bytes: int) -> Iterator[bytes]:
    """What there is to read, as soon as there is something."""
    read = getattr(source, "read1", source.read)
    while data := read(_READ_BYTES):
        for start in range(0, len(data), most_bytes):
            yield data[start : start + most_bytes]
