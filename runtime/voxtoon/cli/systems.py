"""``voxtoon systems``: what can be exported, from which checkpoints and to which formats."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any

from voxtoon.errors import InputError

_BYTES_PER_PARAMETER = 4  # fp32


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "systems",
        help="systems, variants, checkpoint layouts and formats",
        description="The declared systems and their variants, the checkpoints that can be read, and the "
        "formats each part can be exported to. Computed from the declarations: torch is not needed.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Print them; returns the exit code."""
    try:
        described = describe()
    except ImportError as error:
        hint = "install it with: pip install 'voxtoon[export]'"
        raise InputError("the declarations are not installed", got=error, hint=hint) from error
    print(json.dumps(described, indent=2) if arguments.json else as_text(described))
    return 0


def describe() -> dict[str, Any]:
    """Everything that is known, as JSON values.

    Returns
    -------
    dict
        ``systems`` with their variants and parts, ``checkpoint_layouts``, ``checkpoints_not_read`` and
        ``formats``.
    """
    from voxtoon_export.checkpoint_layouts import LAYOUTS, OTHERS
    from voxtoon_export.lowering import format_named, format_names
    from voxtoon_export.systems import SYSTEMS

    return {
        "systems": [
            {
                "name": system.name,
                "title": system.title,
                "source": system.source,
                "variants": [_variant(variant) for variant in system.variants.values()],
            }
            for system in SYSTEMS.values()
        ],
        "checkpoint_layouts": [
            {
                "name": layout.name,
                "title": layout.title,
                "parts": list(layout.parts),
                "variant": layout.variant,
                "frames_needed": layout.frames,
            }
            for layout in LAYOUTS.values()
        ],
        "checkpoints_not_read": [{"title": other.title, "reason": other.reason} for other in OTHERS],
        "formats": [
            {"name": found.name, "engine": found.engine, "precisions": list(found.tolerances)}
            for found in map(format_named, format_names())
        ],
    }


def as_text(described: dict[str, Any]) -> str:
    """The same as tables for a terminal."""
    blocks = []
    for system in described["systems"]:
        rows = [("variant", "front end", "part", "parameters", "fp32 MB", "MMACs a clip", "role")]
        for variant in system["variants"]:
            rows += [
                (
                    "" if number else variant["name"],
                    "" if number else variant["front_end"],
                    part["name"],
                    f"{part['parameters']:,}",
                    f"{part['parameters'] * _BYTES_PER_PARAMETER / 1e6:.1f}",
                    f"{part['macs_per_clip'] / 1e6:,.1f}",
                    part["role"],
                )
                for number, part in enumerate(variant["parts"])
            ]
        blocks.append(f"{system['name']}: {system['source']}\n{_table(rows, right=(3, 4, 5))}")
    layouts = [
        (layout["name"], " ".join(layout["parts"]), layout["title"], _frames(layout))
        for layout in described["checkpoint_layouts"]
    ]
    others = [(other["title"], other["reason"]) for other in described["checkpoints_not_read"]]
    formats = [
        ("every part", found["name"], " ".join(found["precisions"]), f"runs on {found['engine']}")
        for found in described["formats"]
    ]
    blocks += [
        f"checkpoints that are read\n{_table(layouts)}",
        f"checkpoints that are known and not read\n{_table(others)}",
        f"artefacts\n{_table(formats)}",
    ]
    return "\n\n".join(blocks)


def _variant(variant: Any) -> dict[str, Any]:
    frames = variant.front_end.frame_count(variant.front_end.clip_samples)
    return {
        "name": variant.name,
        "front_end": variant.front_end.kind,
        "parameters": variant.parameters,
        "parts": [
            {
                "name": part.name,
                "role": part.role,
                "parameters": part.parameters,
                "macs_per_clip": part.macs(frames=frames),
                "inputs": [tensor.to_json() for tensor in part.inputs],
                "outputs": [tensor.to_json() for tensor in part.outputs],
            }
            for part in variant.parts.values()
        ],
    }


def _frames(layout: dict[str, Any]) -> str:
    needed = layout["frames_needed"]
    return f"weights only, for frames of {needed}" if needed else "complete"


def _table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
