"""Charts as SVG for a page of its own: no script, no font, nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

COLOURS: Final = ("#2f6db5", "#c2571a", "#3b8a4b", "#8a4f9e", "#a3822a", "#56707c")
_WIDTH: Final = 640
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 28, 40


@dataclass(frozen=True)
class Line:
    """A named curve."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A named point; the larger ``weight``, from 0 to 1, the larger it is drawn."""

    name: str
    x: float
    y: float
    weight: float


def distribution(name: str, seconds: NDArray[np.float64]) -> Line:
    """Return what share of some samples took at most so many milliseconds."""
    return Line(name, np.sort(seconds) * 1000, np.arange(1, len(seconds) + 1) / len(seconds) * 100)


def curves(lines: Sequence[Line], *, x: str, y: str, from_zero: bool = False) -> str:
    """Draw curves over common axes with a legend below."""
    frame = _Frame.around(
        np.concatenate([line.x for line in lines]),
        np.concatenate([line.y for line in lines]),
        from_zero=from_zero,
        legend=len(lines),
    )
    drawn = []
    for number, line in enumerate(lines):
        step = max(1, len(line.x) // 600)  # more points than pixels only make the page heavy
        points = " ".join(
            f"{frame.across(a):.1f},{frame.down(b):.1f}"
            for a, b in zip(line.x[::step], line.y[::step], strict=True)
        )
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{_colour(number)}" stroke-width="2"/>')
    return frame.svg([*drawn, *frame.legend_of([line.name for line in lines])], x, y)


def scatter(points: Sequence[Point], *, x: str, y: str) -> str:
    """Draw named points."""
    frame = _Frame.around(
        np.array([point.x for point in points]),
        np.array([point.y for point in points]),
        from_zero=True,
        legend=len(points),
    )
    drawn = [
        f'<circle cx="{frame.across(point.x):.1f}" cy="{frame.down(point.y):.1f}" '
        f'r="{4 + 6 * point.weight:.1f}" fill="{_colour(number)}" fill-opacity="0.8"/>'
        for number, point in enumerate(points)
    ]
    return frame.svg([*drawn, *frame.legend_of([point.name for point in points])], x, y)


@dataclass(frozen=True)
class _Frame:
    """Axes: from numbers to places on the picture."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    legend: int

    @classmethod
    def around(
        cls, x: NDArray[np.float64], y: NDArray[np.float64], *, from_zero: bool, legend: int
    ) -> _Frame:
        return cls(_range(x, from_zero), _range(y, from_zero), legend)

    @property
    def plot_height(self) -> int:
        return 250

    @property
    def height(self) -> int:
        return _TOP + self.plot_height + _BOTTOM + 18 * self.legend

    def across(self, value: float) -> float:
        low, high = self.x_range
        return float(_LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT))

    def down(self, value: float) -> float:
        low, high = self.y_range
        return float(_TOP + self.plot_height * (1 - (value - low) / (high - low)))

    def legend_of(self, names: Sequence[str]) -> list[str]:
        top = _TOP + self.plot_height + _BOTTOM
        return [
            f'<rect x="{_LEFT}" y="{top + 18 * number + 3}" width="12" height="12" fill="{_colour(number)}"/>'
            f'<text x="{_LEFT + 18}" y="{top + 18 * number + 13}">{escape(name)}</text>'
            for number, name in enumerate(names)
        ]

    def svg(self, drawn: Sequence[str], x: str, y: str) -> str:
        bottom, right = _TOP + self.plot_height, _WIDTH - _RIGHT
        grid = [
            f'<path d="M{_LEFT} {self.down(at):.1f}H{right}" class="grid"/>'
            f'<text x="{_LEFT - 6}" y="{self.down(at) + 4:.1f}" text-anchor="end">{at:g}</text>'
            for at in _ticks(self.y_range)
        ]
        grid += [
            f'<text x="{self.across(at):.1f}" y="{bottom + 16}" text-anchor="middle">{at:g}</text>'
            for at in _ticks(self.x_range)
        ]
        names = (
            f'<text x="{right}" y="{bottom + 34}" text-anchor="end">{escape(x)}</text>'
            f'<text x="{_LEFT}" y="{_TOP - 12}">{escape(y)}</text>'
        )
        return (
            f'<svg viewBox="0 0 {_WIDTH} {self.height}" role="img" aria-label="{escape(y)} by {escape(x)}">'
            f"{''.join(grid)}{names}{''.join(drawn)}</svg>"
        )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _range(values: NDArray[np.float64], from_zero: bool) -> tuple[float, float]:
    low, high = (0.0 if from_zero else float(values.min())), float(values.max())
    margin = 0.05 * (high - low) or 0.5 * abs(high) or 1.0
    return (low if from_zero else low - margin), high + margin


def _ticks(limits: tuple[float, float]) -> list[float]:
    """Round numbers, about five."""
    low, high = limits
    rough = (high - low) / 5
    unit = 10 ** np.floor(np.log10(rough))
    step = unit * min((1, 2, 5, 10), key=lambda factor: abs(factor * unit - rough))
    first = np.ceil(low / step)
    return [float(f"{(first + n) * step:.10g}") for n in range(int((high - first * step) / step) + 1)]
