"""Shapes -> SVG text."""

from __future__ import annotations

from collections.abc import Sequence

from voxtoon.avatar.template import Command, Shape, Template


def to_svg(shapes: Sequence[Shape], template: Template) -> str:
    """Write shapes as SVG; the same shapes give the same text, byte for byte."""
    size = template.size
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}" height="{size}"'
        ' role="img" stroke-linecap="round" stroke-linejoin="round">',
        f"<title>{template.title}</title>",
        f"<desc>{template.description}</desc>",
        *(_path(shape) for shape in shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def path_data(shape: Shape) -> str:
    """Write the commands of a shape as the ``d`` of a path."""
    return "".join(_command(command) for command in shape.commands)


def _path(shape: Shape) -> str:
    attributes = [f'id="{shape.id}"', f'd="{path_data(shape)}"']
    attributes.append(f'fill="{shape.fill or "none"}"')
    if shape.stroke:
        attributes.append(f'stroke="{shape.stroke}" stroke-width="{shape.width:g}"')
    if shape.opacity < 1:
        attributes.append(f'opacity="{shape.opacity:g}"')
    return f"<path {' '.join(attributes)}/>"


def _command(command: Command) -> str:
    letter, points = command
    return letter + " ".join([_point(x, y) for x, y in points])


def _point(x: float, y: float) -> str:
    """One decimal: a twentieth of a unit is invisible even at 2048 px."""
    text = f"{x:.1f} {y:.1f}"
    if "-0.0" in text:
        text = " ".join("0.0" if number == "-0.0" else number for number in text.split())
    return text
