"""A step beside the same step as torch.onnx and onnxruntime's quantize_static make it when called plainly.

``python -m benchmarks.plain_steps [--variant V] [--rounds N] [--write docs/streaming.md]``

One thread, by turns, the least CPU time of all rounds. The limits of the real-time factor were set where a
plain step in float32 had that of `PLAIN_THEN`: what our step and head would have there is told beside them,
since processors differ by more than that. The full size needs 10 GB of memory and two minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.converters import by_torch_onnx
from benchmarks.onnx_export import lively_network
from benchmarks.page import markdown, tell, verdict
from benchmarks.quantization.stock_tools import quantize_static
from benchmarks.streaming import FULL_SIZE, MOST_REAL_TIME
from benchmarks.streaming_cost import CLIP_FRAMES, FLOAT, INTEGERS, artefacts, seconds_of
from voxtoon.engines import Arrays
from voxtoon.streaming_encoder import StreamedSession
from voxtoon_export.converter_noise import silenced
from voxtoon_export.network import Network
from voxtoon_export.streaming.parts import HEAD, STEP, StepPart
from voxtoon_quantize.streamed import Streamed

START, END = "<!-- measured plain steps -->", "<!-- end of measured plain steps -->"
PLAIN_THEN: Final = 0.147
_FRAMES_PER_S: Final = 100
_HEADER: Final = (
    "",
    "stored",
    "plain step, ms",
    "step, ms",
    "head, ms",
    "step / plain",
    "real-time factor, step and head",
    f"where a plain step in float32 has {PLAIN_THEN:g}",
    "at most",
    "",
)

Run = Callable[[Arrays], object]


def plain_steps(network: Network, part: StepPart, calls: list[Arrays]) -> dict[str, Run]:
    """Return what the tools make of a step, in float32 and in integers, each called without an option."""
    import torch

    from voxtoon_export.streaming.step import StepNetwork

    sample = tuple(torch.from_numpy(calls[0][item.name]) for item in part.inputs)
    with silenced():
        content = by_torch_onnx(StepNetwork(network, part, channel_first=True).eval(), sample)
    names = [item.name for item in _loaded(content).get_inputs()]
    own = dict(zip((item.name for item in part.inputs), names, strict=True))
    integers = quantize_static(
        content, [{own[name]: array for name, array in call.items()} for call in calls]
    )
    return {FLOAT: _run(content, own), INTEGERS: _run(integers, own)}


def _loaded(content: bytes) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _run(content: bytes, own: Mapping[str, str]) -> Run:
    session = _loaded(content)
    return lambda inputs: session.run(None, {own[name]: array for name, array in inputs.items()})


def least_seconds(runs: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """CPU seconds of each, the least of all rounds, by turns; the first round is not counted."""
    times = [{name: seconds_of(run) for name, run in runs.items()} for _ in range(rounds + 1)]
    return {name: min(turn[name] for turn in times[1:]) for name in runs}


def row(
    name: str, way: str, found: Mapping[str, float], *, step_s: float, plain_float_s: float
) -> tuple[str, ...]:
    """One row of the table.

    Parameters
    ----------
    name, way
        The variant, and how its step is stored.
    found
        Seconds of ``plain``, ``step`` and ``head``.
    step_s
        The sound that a step hears.
    plain_float_s
        What the plain step takes in float32.
    """
    ours = found["step"] + found["head"]
    then = PLAIN_THEN * ours / plain_float_s
    return (
        f"`{name}`",
        way,
        *(f"{1e3 * found[key]:.1f}" for key in ("plain", "step", "head")),
        f"**{found['step'] / found['plain']:.2f}**",
        f"{ours / step_s:.3f}",
        f"{then:.3f}",
        f"{MOST_REAL_TIME[way]:g}",
        verdict(then <= MOST_REAL_TIME[way]),
    )


def sections(name: str, *, rounds: int) -> Iterator[str]:
    """The table, in Markdown."""
    network, inputs = lively_network(name, "encoder")
    frames = inputs["frames"][:, :CLIP_FRAMES].copy()
    made = artefacts(network, frames)
    exact = made.pairs[FLOAT]
    calls, mean = Streamed(STEP, HEAD, exact.spec).heard(exact.step, frames)
    plain = plain_steps(network, made.part, list(calls))
    step_s = exact.spec.frames_per_step / _FRAMES_PER_S
    times: dict[str, dict[str, float]] = {}
    for way in MOST_REAL_TIME:
        runs = _of_pair(made.pairs[way], calls[-1], mean) | {"plain": partial(plain[way], calls[-1])}
        times[way] = least_seconds(runs, rounds=rounds)
    rows = (
        row(name, way, found, step_s=step_s, plain_float_s=times[FLOAT]["plain"])
        for way, found in times.items()
    )
    yield markdown([_HEADER, *rows])


def _of_pair(pair: StreamedSession, call: Arrays, mean: Arrays) -> dict[str, Callable[[], object]]:
    types = pair.step.input_types
    inputs = {
        key: np.asarray(array, types[key]) for key, array in call.items()
    }  # integers of any value will do
    return {"step": lambda: pair.step.run(inputs), "head": lambda: pair.head.run(mean)}


def main() -> None:
    """Measure, print, and put the table into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", default=FULL_SIZE)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    tell(sections(arguments.variant, rounds=arguments.rounds), arguments.write, start=START, end=END)


if __name__ == "__main__":
    main()
