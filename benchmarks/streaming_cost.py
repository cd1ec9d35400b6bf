"""What an update of the streaming encoder costs, counted and measured: see `benchmarks.streaming`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.onnx_export import lively_network
from voxtoon.engines import Arrays, Session
from voxtoon.engines.onnx import load
from voxtoon.integer_state import IntegerStateSession
from voxtoon.streaming_encoder import StreamedSession, StreamingEncoder
from voxtoon_export.converter_noise import silenced
from voxtoon_export.evaluation.figures import angles_deg
from voxtoon_export.lowering import onnx
from voxtoon_export.network import Network
from voxtoon_export.parts import PartSpec
from voxtoon_export.streaming.check import check_streaming, streamed_reference
from voxtoon_export.streaming.parts import HEAD, STEP, StepPart, head_part, step_part
from voxtoon_export.systems import SYSTEMS
from voxtoon_quantize.formats import Inputs, made_by
from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.recipe import Recipe
from voxtoon_quantize.streamed import Streamed

CLIP_FRAMES: Final = 598  # 6 s
UPDATE_FRAMES: Final = 25  # 250 ms
UPDATES_PER_S: Final = 4

FLOAT, LIGHT_HEAD, INTEGERS = "fp32", "fp32, head in 8 bits", "int8"
WAYS: Final[Mapping[str, tuple[Recipe | None, Recipe | None]]] = {
    FLOAT: (None, None),
    LIGHT_HEAD: (None, Recipe("dynamic_wi8")),
    INTEGERS: (Recipe(), Recipe()),
}
"""How step and head are stored and computed: as they are exported, or by a recipe."""

Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Costs:
    """Of one encoder, in MACs or in seconds.

    Attributes
    ----------
    clip
        Of one run over six seconds.
    step, head
        Of one call of each; the step makes one output, and the head runs once for each output.
    update
        In the mean over a call; between two outputs the feature stays the same.
    """

    clip: float
    step: float
    head: float
    update: float

    @property
    def ratio(self) -> float:
        """How often an update fits into a clip."""
        return self.clip / self.update

    @property
    def per_second(self) -> float:
        """Of a second of a call; in seconds, the real-time factor."""
        return self.update * UPDATES_PER_S


def macs(encoder: PartSpec) -> Costs:
    """Count multiplications."""
    step, head = step_part(encoder), head_part(encoder).macs()
    update = (step.macs() + head) * UPDATE_FRAMES / step.plan.frames
    return Costs(encoder.macs(frames=CLIP_FRAMES), step.macs(), head, update)


def streamable_encoders() -> Iterator[tuple[str, PartSpec]]:
    """Yield every variant whose encoder has a mean over time."""
    for system in SYSTEMS.values():
        for name, found in system.variants.items():
            if found.parts["encoder"].streamable:
                yield name, found.parts["encoder"]


@dataclass(frozen=True)
class Artefacts:
    """An encoder as one artefact, and as step and head in every way."""

    encoder: Session
    pairs: Mapping[str, StreamedSession]
    part: StepPart


def artefacts(network: Network, frames: Frames) -> Artefacts:
    """Lower an encoder to ONNX both ways, make of step and head what the recipes say, and load all."""
    from voxtoon_export.streaming.rings import head_network
    from voxtoon_export.streaming.step import StepNetwork

    part = step_part(network.spec)
    with silenced():
        encoder = onnx.lower(network, network.spec, ["fp32"])["fp32"]
        step = OnnxPart(STEP, onnx.lower(StepNetwork(network, part).eval(), part, ["fp32"])["fp32"])
        head = OnnxPart(HEAD, onnx.lower(head_network(network), head_part(network.spec), ["fp32"])["fp32"])
    spec = part.streaming_spec()
    hearing = load(step.calibrated, precision="fp32", threads=1)
    calls, mean = Streamed(STEP, HEAD, spec).heard(hearing, frames)
    pairs = {
        name: StreamedSession(loaded(step, of_step, calls), loaded(head, of_head, [mean]), spec)
        for name, (of_step, of_head) in WAYS.items()
    }
    return Artefacts(load(encoder, precision="fp32", threads=1), pairs, part)


def loaded(part: OnnxPart, recipe: Recipe | None, inputs: Sequence[Inputs]) -> Session:
    """Load a part as it was exported, or quantized by a recipe and calibrated on these inputs."""
    if recipe is None:
        return FORMAT.load(part.content, precision="fp32")
    made = made_by(recipe, [part.calibrate(recipe, inputs)])
    return FORMAT.load(made[part.name], precision="int8")


@dataclass(frozen=True)
class Timed(IntegerStateSession):
    """A session that tells the CPU seconds of its runs."""

    seconds: list[float] = field(default_factory=list)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""
        start = time.process_time()
        found = self.session.run(inputs)
        self.seconds.append(time.process_time() - start)
        return found

    def mean(self) -> float:
        """Of the runs since it was last asked."""
        found = float(np.mean(self.seconds))
        self.seconds.clear()
        return found


def seconds_of(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


class Call:
    """A call that goes on for as long as one likes: the same frames again and again, and its updates."""

    def __init__(self, pair: StreamedSession, frames: Frames) -> None:
        self._step, self._head = Timed.around(pair.step), Timed.around(pair.head)
        self._stream = StreamingEncoder(self._step, self._head, pair.spec)
        self._packets = np.split(
            frames[0, : CLIP_FRAMES // UPDATE_FRAMES * UPDATE_FRAMES], CLIP_FRAMES // UPDATE_FRAMES
        )
        self._at = 0

    def go_on(self, *, updates: int) -> None:
        """Push 250 ms and ask for the feature, so many times."""
        for _ in range(updates):
            self._stream.push(self._packets[self._at % len(self._packets)])
            self._at += 1
            if self._stream.state.count:
                self._stream.feature()

    def stretch(self) -> tuple[float, float, float]:
        """Seconds of a step, of a head, and of an update with all that belongs to it, over whole steps."""
        size = self._stream.spec.frames_per_step
        updates = size // math.gcd(size, UPDATE_FRAMES)
        whole = seconds_of(lambda: self.go_on(updates=updates))
        return self._step.mean(), self._head.mean(), whole / updates

    def feature(self) -> Frames:
        """Of all that came."""
        return self._stream.feature()


def seconds(made: Artefacts, frames: Frames, *, rounds: int) -> tuple[dict[str, Costs], dict[str, float]]:
    """Measure each way, and how many degrees its feature is turned; all take turns."""
    calls = {name: Call(pair, frames) for name, pair in made.pairs.items()}
    for call in calls.values():
        call.stretch()  # to the first outputs
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in calls}
    for _ in range(rounds):
        clip = seconds_of(lambda: made.encoder.run({"frames": frames}))
        for name, call in calls.items():
            found[name].append((clip, *call.stretch()))
    least = {name: Costs(*map(float, np.min(each, axis=0))) for name, each in found.items()}
    exact = calls[FLOAT].feature()
    return least, {name: float(angles_deg(exact, call.feature())) for name, call in calls.items()}


def minutes(made: Artefacts, frames: Frames, *, count: int) -> list[float]:
    """Measure each minute of a call."""
    call = Call(made.pairs[FLOAT], frames)
    return [seconds_of(lambda: call.go_on(updates=60 * UPDATES_PER_S)) for _ in range(count)]


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


@dataclass(frozen=True)
class Measured:
    """All that is told of one variant.

    Attributes
    ----------
    counted, costs, angles_deg
        In MACs; in seconds, and degrees from float32, by way.
    minutes_s
        Of each minute of a call.
    state_kb
        What a call keeps in float32.
    differences
        ``rings`` in torch, absolute; ``trunk`` and ``feature`` of the artefacts, over their scale.
    """

    counted: Costs
    costs: Mapping[str, Costs]
    angles_deg: Mapping[str, float]
    minutes_s: Sequence[float]
    state_kb: float
    differences: Mapping[str, float]


def measured(name: str, *, rounds: int, call_minutes: int) -> Measured:
    """Make, check and measure one variant; CheckError where it is not what torch computes."""
    network, inputs = lively_network(name, "encoder")
    # A copy, because torch takes other kernels for arrays with unusual strides.
    frames = inputs["frames"][:, :CLIP_FRAMES].copy()
    rings, made = ring_difference(network, frames), artefacts(network, frames)
    exact = made.pairs[FLOAT]
    agreement = check_streaming(
        exact.step,
        exact.head,
        made.part,
        frames,
        streamed_reference(network, made.part, frames),
        tolerance=onnx.FORMAT.tolerances["fp32"],
        where=name,
    )
    costs, angles = seconds(made, frames, rounds=rounds)
    return Measured(
        macs(network.spec),
        costs,
        angles,
        minutes(made, frames, count=call_minutes),
        4e-3 * sum(math.prod(shape) for shape in exact.spec.states.values()),
        {"rings": rings, **{key: item.max_abs_relative for key, item in agreement.items()}},
    )
