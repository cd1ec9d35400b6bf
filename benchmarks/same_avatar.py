"""Whether the engines draw the same avatar of a voice: SVG bytes, written numbers, parameters.

``python -m benchmarks.same_avatar --bundle B --data DIR [--clips N] [--write docs/export.md]``

Every format and precision of the bundle hears the sample voice and recordings of DIR, and what it draws is
compared with what ONNX draws in float32. The bundle holds encoder and decoder in the formats to compare.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.page import markdown, tell
from voxtoon.avatar import AvatarParameters, draw
from voxtoon.bundle import Bundle, open_bundle
from voxtoon.engines import ENGINES
from voxtoon.golden import avatar_numbers, frames_of
from voxtoon_export.golden import sample_voice
from voxtoon_export.parity import read_clip

START, END = "<!-- measured avatars -->", "<!-- end of measured avatars -->"
REFERENCE: Final = ("onnx", "fp32")
_COORDINATE: Final = re.compile(r"-?\d+\.\d")


@dataclass(frozen=True)
class Drawing:
    """An avatar: its numbers, and its text."""

    parameters: dict[str, float]
    svg: str

    def parameter_difference(self, other: Drawing) -> float:
        """The largest of any parameter."""
        return max(abs(value - other.parameters[name]) for name, value in self.parameters.items())

    def differing_numbers(self, other: Drawing) -> int:
        """How many coordinates are written otherwise."""
        pairs = zip(_COORDINATE.findall(self.svg), _COORDINATE.findall(other.svg), strict=True)
        return sum(one != another for one, another in pairs)


def drawings(bundle: Bundle, frames: list[Any], *, file_format: str, precision: str) -> list[Drawing]:
    """Draw the caller of each clip with one engine."""
    manifest = bundle.manifest
    assert manifest.avatar_statistics is not None  # a bundle that draws
    engine = next(name for name, spec in ENGINES.items() if spec.format == file_format)
    encoder, decoder = (
        bundle.session(part, engine=engine, precision=precision) for part in ("encoder", "decoder")
    )
    drawn = []
    for each in frames:
        decoded = decoder.run(encoder.run({"frames": each}))
        numbers = avatar_numbers(decoded, manifest.face, manifest.avatar_statistics)
        drawn.append(Drawing(numbers, draw(AvatarParameters.from_json(numbers)).svg))
    return drawn


def rows(bundle: Bundle, clips: list[Any]) -> Iterator[tuple[str, ...]]:
    """One row for each format and precision but the reference."""
    held = sorted({(item.format, item.precision) for item in bundle.manifest.artefacts_of("decoder")})
    frames = [frames_of(samples, bundle.manifest.front_end) for samples in clips]
    drawn = {key: drawings(bundle, frames, file_format=key[0], precision=key[1]) for key in held}
    for key in held:
        if key == REFERENCE:
            continue
        pairs = list(zip(drawn[key], drawn[REFERENCE], strict=True))
        same = sum(one.svg == other.svg for one, other in pairs)
        numbers = max(one.differing_numbers(other) for one, other in pairs)
        of_all = len(_COORDINATE.findall(pairs[0][1].svg))
        worst = max(one.parameter_difference(other) for one, other in pairs)
        yield (*key, f"{same} of {len(pairs)}", f"{numbers} of {of_all}", f"{worst:.1e}")


def sections(arguments: argparse.Namespace) -> Iterator[str]:
    """The table, and what it is of, in Markdown."""
    files = sorted(path for path in arguments.data.rglob("*") if path.suffix in (".wav", ".flac"))
    chosen = files[:: max(1, len(files) // arguments.clips)][: arguments.clips]
    clips = [sample_voice().samples, *(read_clip(path).samples for path in chosen)]
    with open_bundle(arguments.bundle) as bundle:
        yield (
            f"`{bundle.manifest.variant}`, the sample voice and {len(chosen)} recordings, compared with what "
            "ONNX draws in float32:"
        )
        header = ("format", "precision", "same SVG, byte for byte", "numbers written otherwise, at most")
        yield markdown([(*header, "a parameter, at most"), *rows(bundle, clips)])


def main() -> None:
    """Measure and print, and put the table into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=13)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    tell(sections(arguments := parser.parse_args()), arguments.write, start=START, end=END)


if __name__ == "__main__":
    main()
