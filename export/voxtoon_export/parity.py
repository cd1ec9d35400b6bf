"""Parity: an artefact's outputs against torch's, on real audio. What cannot be checked has failed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.agreement import Agreement, Tolerance, worst
from voxtoon.errors import CheckError, InputError
from voxtoon.golden import frames_of, small_image
from voxtoon.verification import agreement_with, run_part

if TYPE_CHECKING:
    from torch import nn

    from voxtoon.engines import Session
    from voxtoon.front_end_spec import FrontEndSpec
    from voxtoon.manifest import FaceShape
    from voxtoon_export.parts import PartSpec

Arrays = Mapping[str, NDArray[np.float32]]


MINIMUM_S: Final = 1.0
MAXIMUM_S: Final = 30.0


@dataclass(frozen=True)
class Clip:
    """A piece of real audio: its name in messages, and float32 samples at the front end's rate."""

    name: str
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One run of a part: where its inputs come from, the inputs, and what torch makes of them."""

    name: str
    inputs: Arrays
    outputs: Arrays


def read_clip(path: str | os.PathLike[str]) -> Clip:
    """Read a sound file as a clip: its first channel, at the rate of the models, at most 30 s.

    Raises
    ------
    InputError
        It is no sound file, or shorter than a second.
    """
    from voxtoon.audio import read_audio
    from voxtoon.resample import Resampler

    audio = read_audio(path, max_seconds_s=MAXIMUM_S)
    if audio.duration_s < MINIMUM_S:
        raise InputError(f"{path}: too short to check on", got=f"{audio.duration_s:.2f} s", expected="1 s")
    resampler = Resampler(from_hz=audio.sample_rate_hz)
    return Clip(Path(path).name, np.concatenate([resampler.push(audio.samples), resampler.flush()]))


def torch_outputs(module: nn.Module, part: PartSpec, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
    """Run a part in torch: float32, eval mode, no gradients."""
    import torch

    with torch.inference_mode():
        found = module.eval()(*(torch.from_numpy(inputs[item.name]) for item in part.inputs))
    found = found if isinstance(found, tuple) else (found,)
    return {item.name: value.numpy() for item, value in zip(part.outputs, found, strict=True)}


def reference_cases(
    modules: Mapping[str, tuple[PartSpec, nn.Module]],
    clips: Sequence[Clip],
    *,
    front_end: FrontEndSpec,
    face: FaceShape | None,
) -> dict[str, list[Case]]:
    """Run every part in torch on every clip, each on what the parts before it made.

    A part whose input has a time axis is also run on half of the frames, and on the fewest it takes: an
    artefact that holds only for one length does not pass.

    Parameters
    ----------
    modules
        Part name to its declaration and module, in the order of the data.
    clips
        At least one.
    face
        What the warp needs to make the image that a face encoder takes; None where there is none.

    Returns
    -------
    dict
        Part name to its cases.

    Raises
    ------
    CheckError
        A part takes an input that nothing here makes.
    """
    cases: dict[str, list[Case]] = {name: [] for name in modules}
    for clip in clips:
        known: dict[str, NDArray[np.float32]] = {"frames": frames_of(clip.samples, front_end)}
        for name, (part, module) in modules.items():
            if face is not None and known.keys() >= {"landmarks", "texture"}:
                known["image"] = small_image(known, face)
            for label, inputs in _inputs(part, known):
                outputs = torch_outputs(module, part, inputs)
                cases[name].append(Case(f"{clip.name}{label}", inputs, outputs))
            known = {**cases[name][-1].outputs, **known}  # the encoder's feature is not the face encoder's
    return cases


def _inputs(part: PartSpec, known: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Yield the inputs of a part: where it has a time axis shortened ones first, the whole last."""
    missing = [item.name for item in part.inputs if item.name not in known]
    if missing:
        raise CheckError(
            f"{part.name} cannot be checked: nothing makes its input",
            got=missing[0],
            expected=", ".join(known),
        )
    whole = {item.name: known[item.name] for item in part.inputs}
    if part.has_time:
        frames = whole[part.input.name]
        for count in sorted({part.minimum_frames, max(part.minimum_frames, frames.shape[1] // 2)}):
            if count < frames.shape[1]:
                yield f", {count} frames", {part.input.name: np.ascontiguousarray(frames[:, :count])}
    yield "", whole


def check_artefact(
    session: Session, cases: Iterable[Case], *, tolerance: Tolerance, where: str
) -> dict[str, Agreement]:
    """Check an artefact against torch.

    Parameters
    ----------
    session
        The artefact, on the engine it is for.
    cases
        Of its part, at least one.
    tolerance
        Asked of every output of every case.
    where
        Part, format and precision, for the message.

    Returns
    -------
    dict
        Output name to the worst agreement of all cases.

    Raises
    ------
    CheckError
        An output misses the tolerance, or cannot be compared: what, where, and by how much.
    """
    found: dict[str, list[Agreement]] = {}
    for case in cases:
        try:
            outputs = run_part(session, case.inputs)
            for name, reference in case.outputs.items():
                agreement = agreement_with(reference, outputs, name)
                if (miss := tolerance.miss(agreement)) is not None:
                    raise CheckError(f"{name}: {miss}")
                found.setdefault(name, []).append(agreement)
        except CheckError as error:
            raise CheckError(
                f"{where} fails on {case.name}: {error}", hint="no bundle was written"
            ) from error
    if not found:
        raise CheckError(f"{where} cannot be checked: there is no audio to run it on")
    return {name: worst(agreements) for name, agreements in found.items()}
