"""What an update costs during a call: the streaming encoder against recomputing the last six seconds.

``python -m benchmarks.streaming [--variant V ...] [--minutes M] [--rounds N]``

The first table counts multiplications of every variant that can be streamed, the second is the lag table of
the first variant asked for. The third is measured: ONNX, one thread, random weights, CPU time. Encoder, step
and head take turns, and so do step and head in int8; the least of all rounds counts. The first and the last
minute are whole minutes of a call in float32 with an update after every 250 ms. Outputs and feature are
checked against torch first: the columns ``trunk`` and ``feature`` are the largest differences over their
scale, ``rings`` the largest difference of torch's own streaming form. The last table holds int8 against
float32; its real-time factors count the head too.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.onnx_export import lively_network
from voxtoon.engines import Session
from voxtoon.engines.onnx import load
from voxtoon.integer_state import zeros_of
from voxtoon.streaming_encoder import StreamingEncoder
from voxtoon_export.converter_noise import silenced
from voxtoon_export.lowering import Content, onnx
from voxtoon_export.network import Network
from voxtoon_export.parts import PartSpec
from voxtoon_export.streaming.check import check_streaming, streamed_reference
from voxtoon_export.streaming.parts import HEAD, STEP, StepPart, head_part, step_part
from voxtoon_export.systems import SYSTEMS, variant
from voxtoon_quantize.formats import made_by
from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.recipe import Recipe
from voxtoon_quantize.streamed import Streamed

CLIP_FRAMES = 598  # 6 s
UPDATE_FRAMES = 25  # 250 ms
FRAMES_PER_S = 100

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Costs:
    """Of one encoder, in MACs or in seconds: of a whole clip, of a call of the step, and of the head.

    A call of the step makes one output.
    """

    clip: float
    step: float
    head: float
    step_frames: int

    @property
    def update(self) -> float:
        """Of an update, in the mean over a call; between two outputs the feature stays the same."""
        return (self.step + self.head) * UPDATE_FRAMES / self.step_frames

    @property
    def ratio(self) -> float:
        """How often an update fits into a clip."""
        return self.clip / self.update

    @property
    def step_per_second(self) -> float:
        """Of a second of audio, without the head."""
        return self.step * FRAMES_PER_S / self.step_frames

    @property
    def per_second(self) -> float:
        """Of a second of audio, with the head once for each output."""
        return (self.step + self.head) * FRAMES_PER_S / self.step_frames


def macs(encoder: PartSpec) -> Costs:
    """Count multiplications."""
    step = step_part(encoder)
    return Costs(
        clip=encoder.macs(frames=CLIP_FRAMES),
        step=step.macs(),
        head=head_part(encoder).macs(),
        step_frames=step.plan.frames,
    )


def streamable_encoders() -> Iterator[tuple[str, PartSpec]]:
    """Yield every variant whose encoder has a mean over time."""
    for system in SYSTEMS.values():
        for name, found in system.variants.items():
            if found.parts["encoder"].streamable:
                yield name, found.parts["encoder"]


@dataclass(frozen=True)
class Artefacts:
    """An encoder as one artefact, and as step and head."""

    encoder: Session
    step: Session
    head: Session
    integer_step: Session
    integer_head: Session
    part: StepPart

    def stream(self) -> StreamingEncoder:
        """Begin a call."""
        return StreamingEncoder(self.step, self.head, self.part.streaming_spec())


def artefacts(network: Network, frames: Frames) -> Artefacts:
    """Lower an encoder to ONNX both ways, quantize step and head on frames, and load all on one thread."""
    from voxtoon_export.streaming.rings import head_network
    from voxtoon_export.streaming.step import StepNetwork

    part = step_part(network.spec)
    with silenced():
        encoder = onnx.lower(network, network.spec, ["fp32"])["fp32"]
        step = onnx.lower(StepNetwork(network, part).eval(), part, ["fp32"])["fp32"]
        head = onnx.lower(head_network(network), head_part(network.spec), ["fp32"])["fp32"]
    integer_step, integer_head = in_integers(step, head, part, frames)
    return Artefacts(
        encoder=load(encoder, precision="fp32", threads=1),
        step=load(step, precision="fp32", threads=1),
        head=load(head, precision="fp32", threads=1),
        integer_step=FORMAT.load(integer_step, precision="int8"),
        integer_head=FORMAT.load(integer_head, precision="int8"),
        part=part,
    )


def in_integers(step: bytes, head: bytes, part: StepPart, frames: Frames) -> tuple[Content, Content]:
    """Quantize step and head by the default recipe, calibrated on one clip."""
    recipe, streamed = Recipe(), Streamed(STEP, HEAD, part.streaming_spec())
    float_step, float_head = OnnxPart(STEP, step), OnnxPart(HEAD, head)
    calls, mean = streamed.heard(load(float_step.calibrated, precision="fp32", threads=1), frames)
    made = made_by(recipe, [float_step.calibrate(recipe, calls), float_head.calibrate(recipe, [mean])])
    return made[STEP], made[HEAD]


def seconds(made: Artefacts, frames: Frames, *, rounds: int) -> tuple[Costs, Costs]:
    """Measure in float32, and again with step and head in int8; all take turns."""
    spec = made.part.streaming_spec()
    size = spec.frames_per_step
    mean = np.ones((1, 1, *spec.output_shape), np.float32)
    calls = {
        name: {
            "frames": frames[:, :size],
            **{state: zeros_of(session, state, shape) for state, shape in spec.states.items()},
        }
        for name, session in (("step", made.step), ("integer_step", made.integer_step))
    }
    runs: dict[str, Callable[[], object]] = {
        "clip": lambda: made.encoder.run({"frames": frames}),
        "step": lambda: made.step.run(calls["step"]),
        "head": lambda: made.head.run({"mean": mean}),
        "integer_step": lambda: made.integer_step.run(calls["integer_step"]),
        "integer_head": lambda: made.integer_head.run({"mean": mean}),
    }
    least = dict.fromkeys(runs, np.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            least[name] = min(least[name], time.process_time() - start)
    return (
        Costs(least["clip"], least["step"], least["head"], size),
        Costs(least["clip"], least["integer_step"], least["integer_head"], size),
    )


def minutes(made: Artefacts, frames: Frames, *, count: int) -> list[float]:
    """Measure each minute of a call, an update after every 250 ms."""
    stream, found = made.stream(), []
    for _ in range(count):
        start = time.process_time()
        for pushed in range(0, 60 * FRAMES_PER_S, UPDATE_FRAMES):
            at = pushed % (CLIP_FRAMES // UPDATE_FRAMES * UPDATE_FRAMES)
            stream.push(frames[0, at : at + UPDATE_FRAMES])
            if stream.state.count:
                stream.feature()
        found.append(time.process_time() - start)
    return found


def ring_difference(network: Network, frames: Frames) -> float:
    """Return the largest difference of torch's streaming form from torch's run over the whole clip."""
    import torch

    from voxtoon_export.streaming.rings import RingEncoder, offline_trunk

    with torch.inference_mode():
        clip = torch.from_numpy(frames)
        ring = RingEncoder(network)
        chunks = torch.split(clip, UPDATE_FRAMES, dim=1)
        streamed = torch.cat([ring.push(chunk) for chunk in chunks], dim=1)
        return float((torch.cat([streamed, ring.peek()], dim=1) - offline_trunk(network, clip)).abs().max())


def print_macs() -> None:
    """Print the first table."""
    print(f"{'multiplications':22} {'6 s':>9} {'per s':>9} {'head':>9} {'update':>9} {'ratio':>6}")
    for name, encoder in streamable_encoders():
        found = macs(encoder)
        cells = (found.clip, found.step_per_second, found.head, found.update)
        print(f"{name:22} {' '.join(f'{cell / 1e6:8.1f}M' for cell in cells)} {found.ratio:6.1f}")


def print_lags(name: str) -> None:
    """Print what each layer keeps, and how far it lies behind."""
    plan = step_part(variant(name).parts["encoder"]).plan
    print(f"\n{name}, {plan.frames} frames a call, the first {plan.lead_frames} of them before the recording")
    print(f"{'layer':22} {'kernel':>6} {'stride':>6} {'frames':>6} {'lag':>6} {'state':>6} {'kB':>8}")
    for row in plan.rows:
        if row.unit.kernel > 1:
            layer = getattr(row.unit.layer, "name", "pool")
            state_kb = 4e-3 * row.state_frames * math.prod(row.unit.frame_shape)
            cells = (row.unit.kernel, row.unit.stride, row.frames, row.lag, row.state_frames)
            print(f"{layer:22} {' '.join(f'{cell:6}' for cell in cells)} {state_kb:8.1f}")
    print(f"{'output':22} {'':13} {plan.outputs:6} {plan.lag:6}")


def print_times(names: list[str], *, rounds: int, call_minutes: int) -> None:
    """Measure and print the second table."""
    head = (
        f"{'6 s ms':>8} {'step ms':>8} {'head ms':>8} {'update':>8} {'ratio':>6} {'RTF':>7} {'state kB':>8}"
    )
    last = f"{'minute 1':>9} {f'minute {call_minutes}':>10}"
    print(f"\n{'':22} {head} {last} {'rings':>8} {'trunk':>8} {'feature':>8}")
    faster: list[tuple[str, Costs, Costs]] = []
    for name in names:
        network, inputs = lively_network(name, "encoder")
        # A copy, because torch takes other kernels for arrays with unusual strides.
        frames = inputs["frames"][:, :CLIP_FRAMES].copy()
        rings, made = ring_difference(network, frames), artefacts(network, frames)
        agreement = check_streaming(
            made.step,
            made.head,
            made.part,
            frames,
            streamed_reference(network, made.part, frames),
            tolerance=onnx.FORMAT.tolerances["fp32"],
            where=name,
        )
        found, integers = seconds(made, frames, rounds=rounds)
        call = minutes(made, frames, count=call_minutes)
        state_kb = sum(math.prod(shape) for shape in made.part.streaming_spec().states.values()) * 4e-3
        times = (found.clip, found.step, found.head, found.update)
        cells = f"{' '.join(f'{1e3 * cell:8.2f}' for cell in times)} {found.ratio:6.1f}"
        cells += f" {found.step_per_second:7.4f} {state_kb:8.0f} {call[0]:8.3f}s {call[-1]:9.3f}s"
        differences = [rings, *(item.max_abs_relative for item in agreement.values())]
        print(f"{name:22} {cells} {' '.join(f'{item:8.1e}' for item in differences)}")
        faster.append((name, found, integers))
    titles = f"{'step ms':>8} {'int8':>8} {'faster':>7} {'head ms':>8} {'int8':>8} {'RTF':>7} {'int8':>7}"
    print(f"\n{'':22} {titles}")
    for name, found, integers in faster:
        steps = f"{1e3 * found.step:8.2f} {1e3 * integers.step:8.2f} {found.step / integers.step:6.2f}x"
        heads = f"{1e3 * found.head:8.3f} {1e3 * integers.head:8.3f}"
        print(f"{name:22} {steps} {heads} {found.per_second:7.4f} {integers.per_second:7.4f}")


def main() -> None:
    """Count, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", nargs="+", default=["speech2face-w8", "speech2face-mel-w4"])
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for name in arguments.variant:
        variant(name)
    print_macs()
    print_lags(arguments.variant[0])
    print_times(arguments.variant, rounds=arguments.rounds, call_minutes=arguments.minutes)


if __name__ == "__main__":
    main()
