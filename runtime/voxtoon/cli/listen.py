"""``voxtoon listen``: the cartoon of whoever speaks into the microphone of this machine, or of a page."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import TYPE_CHECKING, Any

from voxtoon.cli.live import LiveCall, add_live_options
from voxtoon.cli.options import CAPTION, add_avatar_options, add_model_options, drawing_options

if TYPE_CHECKING:
    from voxtoon.pipeline import Pipeline


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "listen",
        help="the same, live, from the microphone",
        description="Draw the cartoon of whoever speaks into the microphone, until Ctrl-C: a cartoon, not a "
        "likeness. Sound is heard in memory and kept nowhere.",
    )
    parser.add_argument("--web", action="store_true", help="serve a page to this machine and listen there")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="of the page (default: a free one)")
    parser.add_argument("--device", metavar="D", help="number of the microphone, or part of its name")
    parser.add_argument("--list", action="store_true", help="list the microphones and end")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after so long (default: Ctrl-C)")
    add_live_options(parser)
    add_model_options(parser)
    add_avatar_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Listen until it ends or is interrupted; returns the exit code."""
    if arguments.list:
        from voxtoon.microphone import microphones

        print("\n".join(microphones()))
        return 0
    from voxtoon.bundle import open_bundle

    with open_bundle(arguments.bundle) as bundle:
        pipeline = bundle.pipeline(
            engine=arguments.engine, precision=arguments.precision, threads=arguments.threads
        )
        (_listen_web if arguments.web else _listen)(pipeline, arguments)
    return 0


def _listen(pipeline: Pipeline, arguments: argparse.Namespace) -> None:
    from voxtoon.microphone import ENCODING, READ_S, microphone

    count = None if arguments.seconds is None else max(1, round(arguments.seconds / READ_S))
    with (
        microphone(device=arguments.device) as source,
        pipeline.stream(
            sample_rate=source.sample_rate_hz,
            encoding=ENCODING,
            update_every_speech_s=arguments.update_every,
            exaggeration=arguments.exaggeration,
        ) as call,
    ):
        live = LiveCall(call, arguments)
        try:
            for chunk in islice(source.chunks(), count):
                live.push(chunk)
        except KeyboardInterrupt:
            pass  # how a user ends a call
        live.finish()


def _listen_web(pipeline: Pipeline, arguments: argparse.Namespace) -> None:
    from voxtoon.web import WebListener

    listener = WebListener(
        pipeline,
        port=arguments.port,
        call_options={
            "update_every_speech_s": arguments.update_every,
            "exaggeration": arguments.exaggeration,
        },
        drawing_options=drawing_options(arguments),
    )
    print(f"{listener.url}\nopen this in a browser on this machine ({CAPTION}); Ctrl-C ends it", flush=True)
    try:
        listener.serve()
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
