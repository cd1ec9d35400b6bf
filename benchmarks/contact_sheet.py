"""Many avatars on one sheet, to be looked at: of voices, or of random parameters where none is given.

``python -m benchmarks.contact_sheet [AUDIO ...] [-o sheet.png] [--bundle B] [--count N] [--columns N]``
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

from voxtoon.avatar import MEASUREMENTS, Avatar, AvatarParameters, draw, draw_avatar

SPREAD = 0.55  # standard deviation of random parameters: most in the middle, some at the ends


def of_voices(audio: list[Path], *, bundle: Path | None) -> Iterator[Avatar]:
    """The avatar of each recording."""
    from voxtoon import open_bundle
    from voxtoon.audio import read_audio

    with open_bundle(bundle) as opened:
        pipeline = opened.pipeline()
        for path in audio:
            clip = read_audio(path)
            yield draw_avatar(pipeline.reconstruct(clip.samples, sample_rate=clip.sample_rate_hz))


def at_random(count: int, *, seed: int) -> Iterator[Avatar]:
    """Avatars of random parameters, the neutral one first."""
    generator = random.Random(seed)
    yield draw(AvatarParameters())
    for _ in range(count - 1):
        numbers = {name: max(-1.0, min(1.0, generator.gauss(0, SPREAD))) for name in MEASUREMENTS}
        yield draw(AvatarParameters.from_json(numbers))


def sheet(avatars: list[Avatar], *, columns: int, cell_px: int) -> str:
    """One SVG with the avatars in rows."""
    rows = -(-len(avatars) // columns)
    width_px, height_px = columns * cell_px, rows * cell_px
    cells = []
    for index, avatar in enumerate(avatars):
        x, y = index % columns * cell_px, index // columns * cell_px
        size = f'x="{x}" y="{y}" width="{cell_px}" height="{cell_px}"'
        drawing = re.sub(r' width="\d+" height="\d+"', f" {size}", avatar.svg, count=1)
        cells.append(re.sub(r' id="[^"]*"', "", drawing))  # an id may occur only once in a file
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{height_px}">'
    background = '<rect width="100%" height="100%" fill="#FFFFFF"/>'
    return "\n".join([opening, background, *cells, "</svg>", ""])


def main() -> None:
    """Draw the sheet that the command line asks for."""
    parser = argparse.ArgumentParser(description="Draw many avatars on one sheet.")
    parser.add_argument("audio", nargs="*", type=Path, help="recordings; without any, random parameters")
    parser.add_argument("-o", "--output", type=Path, default=Path("contact_sheet.png"), help=".png or .svg")
    parser.add_argument("--bundle", type=Path, help="the model that hears the recordings")
    parser.add_argument("--count", type=int, default=24, help="how many random avatars")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--cell-px", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.audio:
        avatars = list(of_voices(arguments.audio, bundle=arguments.bundle))
    else:
        avatars = list(at_random(arguments.count, seed=arguments.seed))
    svg = sheet(avatars, columns=arguments.columns, cell_px=arguments.cell_px)
    if arguments.output.suffix == ".svg":
        arguments.output.write_text(svg, encoding="utf-8")
    else:
        import resvg_py

        arguments.output.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)))
    print(f"{len(avatars)} avatars -> {arguments.output}")


if __name__ == "__main__":
    main()
