"""What the commands of these benchmarks share: their options, the recordings, and the bundle of floats."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from voxtoon.bundle import Bundle, open_bundle
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_quantize.calibration import CalibrationAudio

CHECKPOINT: Final = Path(__file__).resolve().parents[2] / "recipes/checkpoints/speech2face-mel-w4.safetensors"
"""What the embedded bundle was made of."""
FULL_SIZE: Final = "-full-size"
"""How the names end of what is measured of the paper's widths."""


def parser(words: str | None, names: Collection[str], *, clips: int) -> argparse.ArgumentParser:
    """Return the options; the words are a module's, of which the first line is told.

    Parameters
    ----------
    names
        Of all that can be measured.
    clips
        How many recordings are calibrated on, and judged on, unless told otherwise.
    """
    found = argparse.ArgumentParser(description=words.splitlines()[0] if words else None)
    found.add_argument(
        "--bundle", type=Path, help="with float32 in these formats (default: of the checkpoint)"
    )
    found.add_argument("--data", type=Path, required=True, help="folder of recordings")
    found.add_argument("--clips", type=int, default=clips, help="recordings to calibrate on")
    found.add_argument("--judged", type=int, default=clips, help="recordings of other speakers to judge on")
    found.add_argument("--full-size", action="store_true", help="the paper's widths too: 10 GB of memory")
    found.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {' '.join(names)}")
    found.add_argument("--write", type=Path, metavar="PAGE")
    return found


def asked(arguments: argparse.Namespace, names: Collection[str]) -> list[str]:
    """Return what is to be measured, in the order of the page."""
    if arguments.only is not None:
        return [name for name in names if name in arguments.only]
    return [name for name in names if arguments.full_size or not name.endswith(FULL_SIZE)]


def recordings(arguments: argparse.Namespace) -> tuple[CalibrationAudio, CalibrationAudio]:
    """Those to calibrate on, and those of speakers that nothing was trained on to judge on."""
    heard = CalibrationAudio(
        arguments.data, clips=arguments.clips, use_speaker=lambda speaker: not is_held_out(speaker)
    )
    kept = CalibrationAudio(
        arguments.data, clips=arguments.judged, telephone_share=0.0, use_speaker=is_held_out
    )
    return heard, kept


@contextmanager
def float_bundle(path: Path | None, formats: Sequence[str]) -> Iterator[Bundle]:
    """Open a bundle, or else one of floats in these formats that is made of the checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            from voxtoon_export.checkpoint import load_checkpoint
            from voxtoon_export.exporter import export

            output = Path(folder) / "float.voxtoon"
            path = export(
                load_checkpoint(CHECKPOINT), output=output, formats=formats, streaming="none"
            ).bundle
        with open_bundle(path) as bundle:
            yield bundle
