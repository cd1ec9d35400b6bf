"""Recordings shown to the parts of a bundle, each of which takes what the part before it makes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from voxtoon.bundle import ENCODER, Bundle
from voxtoon.golden import frames_of

from .calibration import CalibrationAudio
from .formats import CalibratedPart, FloatPart, Inputs, QuantizedFormat
from .judging import streamed_of
from .recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .streamed import Streamed

Calibrate = Callable[[FloatPart, Iterable[Inputs]], CalibratedPart]


def calibrate_parts(
    bundle: Bundle,
    quantized: QuantizedFormat,
    parts: Mapping[str, FloatPart],
    recipe: Recipe,
    audio: CalibrationAudio,
    *,
    for_factors: bool = False,
) -> list[CalibratedPart]:
    """Show recordings to every part: frames to the encoder, and what it made of them to the decoder.

    The encoder on a stream is shown the recordings call by call, and its head what comes of that.
    """

    def calibrate(part: FloatPart, inputs: Iterable[Inputs]) -> CalibratedPart:
        return part.calibrate(recipe, inputs, for_factors=for_factors)

    def frames() -> Iterator[NDArray[np.float32]]:
        for clip in audio:
            yield frames_of(clip.samples, bundle.manifest.front_end)

    found: dict[str, CalibratedPart] = {}
    features: list[Inputs] = []
    if ENCODER in parts:
        name = bundle.manifest.part(ENCODER).inputs[0].name
        found[ENCODER], features = _encoder(quantized, parts[ENCODER], calibrate, name, frames)
    streamed = streamed_of(bundle, parts)
    if streamed is not None:
        step, head = (parts[name] for name in streamed.names)
        found[step.name], means = _step(quantized, step, calibrate, streamed, frames)
        found[head.name] = calibrate(head, means)
        if not features:
            session = quantized.load(head.content, precision="fp32")
            features = [{"feature": session.run(mean)["feature"]} for mean in means]
    return [found.get(name) or calibrate(part, features) for name, part in parts.items()]


def _encoder(
    quantized: QuantizedFormat,
    part: FloatPart,
    calibrate: Calibrate,
    input_name: str,
    heard: Callable[[], Iterable[NDArray[np.float32]]],
) -> tuple[CalibratedPart, list[Inputs]]:
    """The encoder, and its features in float."""
    encoder = quantized.load(part.content, precision="fp32")
    features: list[Inputs] = []

    def runs() -> Iterator[Inputs]:
        for frames in heard():
            run = {input_name: frames}
            features.append({"feature": encoder.run(run)["feature"]})
            yield run

    calibrated = calibrate(part, runs())
    if not features:  # nothing of it is static
        deque(runs(), maxlen=0)
    return calibrated, features


def _step(
    quantized: QuantizedFormat,
    part: FloatPart,
    calibrate: Calibrate,
    streamed: Streamed,
    heard: Callable[[], Iterable[NDArray[np.float32]]],
) -> tuple[CalibratedPart, list[Inputs]]:
    """The step, on calls as they follow each other on a stream, and what its head is to take."""
    step = quantized.load(part.calibrated, precision="fp32")
    means: list[Inputs] = []

    def calls() -> Iterator[Inputs]:
        for frames in heard():
            of_clip, mean = streamed.heard(step, frames)
            means.append(mean)
            yield from of_clip

    calibrated = calibrate(part, calls())
    if not means:
        deque(calls(), maxlen=0)
    return calibrated, means
