"""The template of the avatar, read once and evaluated for every drawing. `docs/avatar.md` specifies it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from voxtoon.errors import InputError

Point = tuple[float, float]
Points = dict[str, Point]
Axes = Sequence[tuple[str, Sequence[float]]]
Command = tuple[str, tuple[Point, ...]]

FORMAT = 1
KAPPA = 0.5522847498  # control points of a quarter circle drawn as one cubic


@dataclass(frozen=True)
class Rule:
    """Moves `points` by ``value * (move + scale * (base - about))``."""

    parameter: str
    points: tuple[str, ...]
    move: Point
    scale: Point
    about: Point


@dataclass(frozen=True)
class Layer:
    """One entry of the draw list; `path` holds commands over point names."""

    id: str
    path: tuple[tuple[str, tuple[str, ...]], ...]
    fill: str | None
    stroke: str | None
    width: float
    opacity: float


@dataclass(frozen=True)
class Shape:
    """One layer, evaluated: only M, L, C and Z with coordinates, and solid colours ``#RRGGBB``."""

    id: str
    commands: tuple[Command, ...]
    fill: str | None
    stroke: str | None
    width: float
    opacity: float


@dataclass(frozen=True)
class Template:
    """A template file, names resolved."""

    size: int
    title: str
    description: str
    parameters: Mapping[str, str]
    points: Mapping[str, Point]
    silhouette_axes: Axes
    silhouettes: Sequence[Sequence[Mapping[str, Point]]]
    rules: Sequence[Rule]
    tones: Mapping[str, Mapping[str, str]]
    colour_grids: Mapping[str, tuple[Axes, Sequence[Sequence[str]]]]
    fixed_colours: Mapping[str, str]
    mixes: Mapping[str, tuple[str, str, float]]
    layers: Sequence[Layer]


@cache
def load_template() -> Template:
    """The template that is part of the package."""
    return parse_template(json.loads((files("voxtoon.avatar") / "template.json").read_text(encoding="utf-8")))


def parse_template(data: Mapping[str, Any]) -> Template:
    """Resolve a template file: ellipses into points, groups into their points, paths into commands.

    Raises
    ------
    InputError
        When the file is of another format.
    """
    if data["format"] != FORMAT:
        raise InputError("avatar template format", got=data["format"], expected=FORMAT)
    groups: dict[str, tuple[str, ...]] = {name: tuple(points) for name, points in data["groups"].items()}
    points: Points = {name: _pair(at) for group in data["groups"].values() for name, at in group.items()}
    for name, (x, y, rx, ry) in data["ellipses"].items():
        ellipse = _ellipse_points(x, y, rx, ry)
        groups[name] = tuple(f"{name}.{index}" for index in range(len(ellipse)))
        points.update(zip(groups[name], ellipse, strict=True))
    hair = data["silhouettes"]
    groups[hair["group"]] = tuple(hair["grid"][0][0])
    colours = data["colours"]
    return Template(
        size=data["size"],
        title=data["title"],
        description=data["description"],
        parameters={name: entry["meaning"] for name, entry in data["parameters"].items()},
        points=points,
        silhouette_axes=hair["axes"],
        silhouettes=[
            [{name: _pair(at) for name, at in cell.items()} for cell in row] for row in hair["grid"]
        ],
        rules=[_rule(entry, groups) for entry in data["rules"]],
        tones=colours["tones"],
        colour_grids={name: (entry["axes"], entry["grid"]) for name, entry in colours["grids"].items()},
        fixed_colours=colours["fixed"],
        mixes={name: tuple(entry) for name, entry in colours["mixes"].items()},
        layers=[_layer(entry) for entry in data["draw"]],
    )


def _pair(at: Sequence[float]) -> Point:
    return float(at[0]), float(at[1])


def _ellipse_points(x: float, y: float, rx: float, ry: float) -> list[Point]:
    """Twelve points, clockwise from the right: on the curve, control, control, on the curve, ..."""
    k = KAPPA
    unit = [
        (1, 0),
        (1, k),
        (k, 1),
        (0, 1),
        (-k, 1),
        (-1, k),
        (-1, 0),
        (-1, -k),
        (-k, -1),
        (0, -1),
        (k, -1),
        (1, -k),
    ]
    return [(x + rx * ux, y + ry * uy) for ux, uy in unit]


def _rule(entry: Mapping[str, Any], groups: Mapping[str, tuple[str, ...]]) -> Rule:
    names = [*entry.get("points", ()), *(name for group in entry.get("groups", ()) for name in groups[group])]
    return Rule(
        parameter=entry["parameter"],
        points=tuple(names),
        move=_pair(entry.get("move", (0, 0))),
        scale=_pair(entry.get("scale", (0, 0))),
        about=_pair(entry.get("about", (0, 0))),
    )


def _layer(entry: Mapping[str, Any]) -> Layer:
    return Layer(
        id=entry["id"],
        path=_parse_path(entry["path"]),
        fill=entry.get("fill"),
        stroke=entry.get("stroke"),
        width=float(entry.get("width", 0)),
        opacity=float(entry.get("opacity", 1)),
    )


def _parse_path(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if text.startswith("@"):
        p = [f"{text[1:]}.{index}" for index in range(12)]
        arcs = [(p[1], p[2], p[3]), (p[4], p[5], p[6]), (p[7], p[8], p[9]), (p[10], p[11], p[0])]
        return (("M", (p[0],)), *(("C", arc) for arc in arcs), ("Z", ()))
    commands: list[tuple[str, list[str]]] = []
    for token in text.split():
        if token in {"M", "L", "C", "S", "Z"}:
            commands.append((token, []))
        else:
            commands[-1][1].append(token)
    return tuple((letter, tuple(names)) for letter, names in commands)
