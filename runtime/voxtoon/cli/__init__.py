"""The command line: one module per command, and only the one asked for is imported."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from voxtoon import __version__
from voxtoon.errors import InputError, VoxtoonError

COMMANDS: dict[str, str] = {
    "face": "draw the cartoon of the voice in a sound file",
    "stream": "the same, live, from PCM on standard input",
    "listen": "the same, live, from the microphone, here or on a page",
    "inspect": "what a bundle or an artefact holds",
    "verify": "check every artefact of a bundle against its golden values",
    "systems": "the systems, variants and checkpoint layouts that can be exported",
    "export": "make a bundle of a checkpoint, verified against torch",
    "bench": "measure a bundle here or on a device, and compare records",
    "evaluate": "the paper's tables for a bundle",
    "quantize": "add int8 artefacts to a bundle, or say why not",
}
"""Name and one line for each module of this package that has `add_parser` and `run`."""

_VERBOSE = ("-v", "--verbose")
_INTERRUPTED = 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Parser(argparse.ArgumentParser):
    """Tells wrong use as every other error is told."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, hint=f"see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv
        Without the program's name; None takes those of the process.

    Returns
    -------
    int
        0 good, 1 a check failed, 2 wrong use or bad input.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    verbose = any(word in _VERBOSE for word in words)
    try:
        with warnings.catch_warnings():
            if not verbose:
                warnings.simplefilter("ignore")
            return _run(words)
    except SystemExit as done:  # argparse, after --help or --version
        return done.code if isinstance(done.code, int) else 0
    except BrokenPipeError:  # who reads our output has seen enough, `voxtoon ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except VoxtoonError as error:
        return _report(str(error), error.exit_code, verbose)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            hint = "make room, or name another folder for temporary files in TMPDIR"
            return _report(str(InputError("the disk is full", got=error, hint=hint)), 2, verbose)
        told = f"{type(error).__name__}: {error}; this is a mistake of voxtoon's, -v shows where"
        return _report(told, 1, verbose)


def _run(words: list[str]) -> int:
    command = next((word for word in words if not word.startswith("-")), None)
    parser = _Parser(
        prog="voxtoon",
        description="A caller's cartoon from a few seconds of voice, on the device.",
        epilog="commands:\n" + "\n".join(f"  {name:<10} {line}" for name, line in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"voxtoon {__version__}")
    parser.add_argument(*_VERBOSE, action="store_true", help="show where an error comes from")
    if command is None:
        parser.add_argument("command", help="one of those below; voxtoon COMMAND --help tells more")
        parser.parse_args(words)
    if command not in COMMANDS:
        raise InputError("unknown command", got=repr(command), expected=", ".join(COMMANDS))
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    module = import_module(f"{__name__}.{command}")
    module.add_parser(subparsers)
    # Also after the command, without undoing the one before it.
    subparsers.choices[command].add_argument(
        *_VERBOSE, action="store_true", default=argparse.SUPPRESS, help="show where an error comes from"
    )
    code: int = module.run(parser.parse_args(words))
    sys.stdout.flush()
    return code


def _report(message: str, exit_code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exc()
    print(f"voxtoon: error: {' '.join(message.split())}", file=sys.stderr)
    return exit_code
