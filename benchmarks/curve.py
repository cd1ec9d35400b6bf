"""A line chart as SVG: one panel per figure, side by side, readable on light and on dark ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW = 420, 280, 56, 40, 44
_INK, _FAINT, _LINES = "#767676", "#76767655", ("#3B78B5", "#C4622D", "#5A8F3C")


@dataclass(frozen=True)
class Panel:
    """One figure over seconds.

    Parameters
    ----------
    title
        What is drawn, with its unit.
    low, high, step
        Of the axis upwards.
    lines
        Name of a line to its points.
    """

    title: str
    low: float
    high: float
    step: float
    lines: Mapping[str, Sequence[tuple[float, float]]]


def draw_panels(panels: Sequence[Panel], *, across: str, last_s: float, description: str) -> str:
    """Draw panels beside each other over the same axis across, from 0 to ``last_s``."""
    width, height = _WIDTH * len(panels), _TOP + _HEIGHT + _BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13" fill="{_INK}" role="img">',
        f"<desc>{description}</desc>",
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({number * _WIDTH} 0)">', *_panel(panel, across, last_s), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, across: str, last_s: float) -> list[str]:
    def x(seconds: float) -> float:
        return round(_LEFT + seconds / last_s * (_WIDTH - _LEFT - 24), 1)

    def y(value: float) -> float:
        return round(_TOP + (panel.high - value) / (panel.high - panel.low) * _HEIGHT, 1)

    parts = [f'<text x="{_LEFT}" y="22" font-weight="bold">{panel.title}</text>']
    for step in range(round((panel.high - panel.low) / panel.step) + 1):
        value = panel.low + step * panel.step
        parts.append(
            f'<path d="M{x(0)} {y(value)}H{x(last_s)}" stroke="{_FAINT}"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{value:g}</text>'
        )
    for second in range(0, round(last_s) + 1, 2):
        parts.append(f'<text x="{x(second)}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{second}</text>')
    parts.append(f'<text x="{x(last_s / 2)}" y="{_TOP + _HEIGHT + 38}" text-anchor="middle">{across}</text>')
    for number, (name, points) in enumerate(panel.lines.items()):
        colour = _LINES[number % len(_LINES)]
        path = "L".join(f"{x(at)} {y(value)}" for at, value in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(at)}" cy="{y(value)}" r="3.5" fill="{colour}"/>' for at, value in points]
        place = f'x="{x(last_s)}" y="{_TOP + _HEIGHT - 10 - 18 * number}"'
        parts.append(f'<text {place} text-anchor="end" fill="{colour}">{name}</text>')
    return parts
