"""What an update costs during a call: the streaming encoder against recomputing the last six seconds.

``python -m benchmarks.streaming [--variant V ...] [--minutes M] [--rounds N] [--write docs/streaming.md]``

Multiplications are counted for every variant that can be streamed; the lag table is that of the first one
asked for, and only printed. The rest is measured: ONNX, one thread, random weights, CPU time. A run of the
whole encoder over six seconds and a stretch of a call with each pair of `WAYS`, an update after every 250 ms,
take turns; the least of all rounds counts. Then come whole minutes of one call in float32. What is measured
is checked against torch first, and at the end held against what is promised.

The full size needs 10 GB of memory and some ten minutes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.page import markdown, tell, verdict
from benchmarks.streaming_cost import (
    FLOAT,
    INTEGERS,
    LIGHT_HEAD,
    Measured,
    macs,
    measured,
    streamable_encoders,
)
from voxtoon.bench.device import describe_device
from voxtoon_export.streaming.parts import step_part
from voxtoon_export.systems import variant

FULL_SIZE: Final = "speech2face"
START, END = "<!-- measured cost -->", "<!-- end of measured cost -->"
_LEAST_RATIO: Final = 20
MOST_REAL_TIME: Final = {FLOAT: 0.17, INTEGERS: 0.06}
_MOST_GROWTH: Final = 0.05


def sections(names: list[str], *, rounds: int, call_minutes: int) -> Iterator[str]:
    """Every table, in Markdown."""
    yield "Multiplications:"
    yield markdown([_COUNTED, *_counted()])
    found = {name: measured(name, rounds=rounds, call_minutes=call_minutes) for name in names}
    yield f"CPU time, {_where()}, one thread:"
    yield markdown([_TIMES, *(row for name, item in found.items() for row in _times(name, item))])
    yield "A call of float32 with an update after every 250 ms, and how far its artefacts are from torch:"
    yield markdown([_CALLS, *(_call(name, item) for name, item in found.items())])
    yield "What is promised:"
    yield markdown(
        [("", "at", "found", ""), *(row for name, item in found.items() for row in promises(name, item))]
    )


_COUNTED: Final = ("", "6 s again", "per second of a call", "head", "update every 250 ms", "ratio")
_TIMES: Final = (
    "",
    "stored",
    "6 s again, ms",
    "step, ms",
    "head, ms",
    "update, ms",
    "ratio",
    "real-time factor",
    "G MAC/s, 6 s and step",
    "angle to fp32",
)
_CALLS: Final = ("", "state, kB", "first minute, s", "last minute, s", "of", "rings", "trunk", "feature")


def _counted() -> Iterator[tuple[str, ...]]:
    for name, encoder in streamable_encoders():
        found = macs(encoder)
        millions = (
            f"{cell / 1e6:,.1f} M" for cell in (found.clip, found.per_second, found.head, found.update)
        )
        yield (f"`{name}`", *millions, f"**{found.ratio:.1f}**")


def _times(name: str, item: Measured) -> Iterator[tuple[str, ...]]:
    for way, found in item.costs.items():
        times = (f"{1e3 * cell:.2f}" for cell in (found.clip, found.step, found.head, found.update))
        angle = f"{item.angles_deg[way]:.2f} degrees" if way == LIGHT_HEAD else ""
        rates = f"{item.counted.clip / found.clip / 1e9:.0f}, {item.counted.step / found.step / 1e9:.0f}"
        ratios = f"**{found.ratio:.1f}**", f"{found.per_second:.4f}"
        yield (f"`{name}`", way, *times, *ratios, rates, angle)


def _call(name: str, item: Measured) -> tuple[str, ...]:
    differences = (f"{item.differences[key]:.1e}" for key in ("rings", "trunk", "feature"))
    ends = (f"{item.minutes_s[0]:.3f}", f"{item.minutes_s[-1]:.3f}", str(len(item.minutes_s)))
    return (f"`{name}`", f"{item.state_kb:,.0f}", *ends, *differences)


def promises(name: str, item: Measured) -> Iterator[tuple[str, str, str, str]]:
    """What is promised of an encoder, the limit, what was found, and whether that is met."""
    growth = item.minutes_s[-1] / item.minutes_s[0] - 1
    yield _promise(f"`{name}`: growth from the first minute to the last", growth, at_most=_MOST_GROWTH)
    if name != FULL_SIZE:
        return
    of_float = {way: found for way, found in item.costs.items() if way != INTEGERS}
    for what, found in {"multiplications": item.counted, **of_float}.items():
        yield _promise(f"`{name}`: six seconds again / an update, {what}", found.ratio, at_least=_LEAST_RATIO)
    for way, limit in MOST_REAL_TIME.items():
        yield _promise(f"`{name}`: real-time factor, {way}", item.costs[way].per_second, at_most=limit)


def _promise(
    what: str, found: float, *, at_least: float = -math.inf, at_most: float = math.inf
) -> tuple[str, str, str, str]:
    limit = f"least {at_least:g}" if at_least > -math.inf else f"most {at_most:g}"
    return what, limit, f"{found:.3g}", verdict(at_least <= found <= at_most)


def _where() -> str:
    processor = describe_device().processor
    return f"onnxruntime {metadata.version('onnxruntime')}, {processor.model or processor.architecture}"


def print_lags(name: str) -> None:
    """Print what each layer keeps, and how far it lies behind."""
    plan = step_part(variant(name).parts["encoder"]).plan
    print(f"{name}, {plan.frames} frames a call, the first {plan.lead_frames} of them before the recording")
    print(f"{'layer':22} {'kernel':>6} {'stride':>6} {'frames':>6} {'lag':>6} {'state':>6} {'kB':>8}")
    for row in plan.rows:
        if row.unit.kernel > 1:
            layer = getattr(row.unit.layer, "name", "pool")
            state_kb = 4e-3 * row.state_frames * math.prod(row.unit.frame_shape)
            cells = (row.unit.kernel, row.unit.stride, row.frames, row.lag, row.state_frames)
            print(f"{layer:22} {' '.join(f'{cell:6}' for cell in cells)} {state_kb:8.1f}")
    print(f"{'output':22} {'':13} {plan.outputs:6} {plan.lag:6}\n")


def main() -> None:
    """Count, measure and print, and put the tables into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", nargs="+", default=[FULL_SIZE, "speech2face-mel-w4"])
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    for name in arguments.variant:
        variant(name)
    print_lags(arguments.variant[0])
    tell(
        sections(arguments.variant, rounds=arguments.rounds, call_minutes=arguments.minutes),
        arguments.write,
        start=START,
        end=END,
    )


if __name__ == "__main__":
    main()
