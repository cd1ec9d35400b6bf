"""Template and parameters -> shapes with coordinates and colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from voxtoon.avatar.parameters import AvatarParameters
from voxtoon.avatar.template import Axes, Command, Layer, Point, Points, Shape, Template, load_template


def evaluate(parameters: AvatarParameters, template: Template | None = None) -> list[Shape]:
    """Evaluate the draw list, in order."""
    template = template or load_template()
    points = evaluate_points(parameters, template)
    colours = evaluate_colours(parameters, template)
    return [
        Shape(
            id=layer.id,
            commands=tuple(_commands(layer, points)),
            fill=colours[layer.fill] if layer.fill else None,
            stroke=colours[layer.stroke] if layer.stroke else None,
            width=layer.width,
            opacity=layer.opacity,
        )
        for layer in template.layers
    ]


def evaluate_points(parameters: AvatarParameters, template: Template | None = None) -> Points:
    """Where every point of the template lies; ``~name`` is the mirror image of ``name``."""
    template = template or load_template()
    values = parameters.numbers()
    base = dict(template.points)
    cells = [(weight, template.silhouettes[i][j]) for weight, i, j in _cell(template.silhouette_axes, values)]
    for name in cells[0][1]:
        base[name] = (
            sum(weight * silhouette[name][0] for weight, silhouette in cells),
            sum(weight * silhouette[name][1] for weight, silhouette in cells),
        )
    moved = dict(base)
    for rule in template.rules:
        value = values[rule.parameter]
        for name in rule.points:
            (x, y), (bx, by) = moved[name], base[name]
            moved[name] = (
                x + value * (rule.move[0] + rule.scale[0] * (bx - rule.about[0])),
                y + value * (rule.move[1] + rule.scale[1] * (by - rule.about[1])),
            )
    mirrored = {f"~{name}": (template.size - x, y) for name, (x, y) in moved.items()}
    return moved | mirrored


def evaluate_colours(parameters: AvatarParameters, template: Template | None = None) -> dict[str, str]:
    """Every colour slot as ``#RRGGBB``."""
    template = template or load_template()
    tones = template.tones["skin"]
    colours = dict(template.fixed_colours)
    colours["skin"] = tones.get(parameters.skin, parameters.skin.upper())
    colours |= {slot: _hexadecimal(channels) for slot, channels in grid_colours(parameters, template).items()}
    for slot, (source, other, share) in template.mixes.items():
        colours[slot] = blend([(1 - share, colours[source]), (share, other)])
    return colours


def grid_colours(
    parameters: AvatarParameters, template: Template | None = None
) -> dict[str, tuple[float, ...]]:
    """The colours that parameters move, red, green and blue from 0 to 255, before they are rounded."""
    template = template or load_template()
    values = parameters.numbers()
    return {
        slot: _blended([(weight, grid[i][j]) for weight, i, j in _cell(axes, values)])
        for slot, (axes, grid) in template.colour_grids.items()
    }


def _cell(axes: Axes, values: Mapping[str, float]) -> list[tuple[float, int, int]]:
    """The four neighbours on a grid of two axes and their bilinear weights."""
    (name_i, stops_i), (name_j, stops_j) = axes
    i, t = _interval(stops_i, values[name_i])
    j, u = _interval(stops_j, values[name_j])
    return [
        ((1 - t) * (1 - u), i, j),
        ((1 - t) * u, i, j + 1),
        (t * (1 - u), i + 1, j),
        (t * u, i + 1, j + 1),
    ]


def _interval(stops: Sequence[float], value: float) -> tuple[int, float]:
    """The last interval of `stops` that begins at or below `value`, and how far into it, from 0 to 1."""
    index = max(i for i in range(len(stops) - 1) if stops[i] <= value)
    return index, (value - stops[index]) / (stops[index + 1] - stops[index])


def blend(parts: Sequence[tuple[float, str]]) -> str:
    """Weighted mean of colours, byte by byte, halves rounded up."""
    return _hexadecimal(_blended(parts))


def _blended(parts: Sequence[tuple[float, str]]) -> tuple[float, ...]:
    return tuple([sum(weight * int(colour[at : at + 2], 16) for weight, colour in parts) for at in (1, 3, 5)])


def _hexadecimal(channels: Sequence[float]) -> str:
    return "#" + "".join(f"{int(channel + 0.5):02X}" for channel in channels)


def _commands(layer: Layer, points: Points) -> Iterator[Command]:
    start = current = (0.0, 0.0)
    for index, (letter, names) in enumerate(layer.path):
        at = tuple(points[name] for name in names)
        if letter == "S":
            run = (current, *at)
            whole = len(layer.path) == 3 and layer.path[-1][0] == "Z" and index == 1 and at[-1] == start
            yield from (("C", curve) for curve in _smooth(run, closed=whole))
        else:
            yield letter, at
        if letter == "M":
            start = at[0]
        if at:
            current = at[-1]


def _smooth(run: Sequence[Point], *, closed: bool) -> Iterator[tuple[Point, Point, Point]]:
    """Cubics through all points of `run` (Catmull-Rom, handles a sixth of the chord between neighbours)."""
    last = len(run) - 1
    before = run[last - 1] if closed else run[0]
    after = run[1] if closed else run[last]
    line = [before, *run, after]
    for a, b, c, d in zip(line, line[1:], line[2:], line[3:], strict=False):
        yield (
            (b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6),
            (c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6),
            c,
        )
