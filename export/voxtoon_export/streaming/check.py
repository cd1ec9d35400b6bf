"""A streaming encoder's artefacts against the encoder in torch: call by call, over a whole clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxtoon.agreement import Agreement, Tolerance, compare
from voxtoon.errors import CheckError
from voxtoon.streaming_encoder import StreamingEncoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from voxtoon.engines import Session

    from ..network import Network
    from .parts import StepPart


def check_streaming(
    step: Session,
    head: Session,
    part: StepPart,
    frames: NDArray[np.float32],
    reference: Mapping[str, NDArray[np.float32]],
    *,
    tolerance: Tolerance,
    where: str,
) -> dict[str, Agreement]:
    """Run a clip through the artefacts as a call would, and compare with one run of the encoder in torch.

    Parameters
    ----------
    step, head
        The artefacts, on the engine they are for.
    part
        What the step was made from.
    frames
        ``[1, n, F, C]``, enough for an output.
    reference
        What the encoder makes of them in torch, by `streamed_reference`.
    where
        Format and precision, for the message.

    Returns
    -------
    dict
        ``trunk`` and ``feature`` to their agreement: the first over every output of every call, the second
        without the outputs that see padding after the last frame, which steps do not make.

    Raises
    ------
    CheckError
        One of them misses the tolerance or cannot be compared, or an output came at another frame than the
        plan says.
    """
    spec = part.streaming_spec()
    encoder = StreamingEncoder(step, head, spec)
    outputs = []
    # By one frame less than a call takes: the waiting frames are then as many as they can be, once each.
    for start in range(0, frames.shape[1], spec.frames_per_step - 1):
        outputs.append(encoder.push(frames[0, start : start + spec.frames_per_step - 1]))
        came, due = encoder.state.count, part.plan.output_count(encoder.state.frames)
        if came != due:
            raise CheckError(f"{where}: outputs after {encoder.state.frames} frames", got=came, expected=due)
    streamed = {"trunk": np.concatenate(outputs)[np.newaxis], "feature": encoder.feature()[np.newaxis]}
    found = {name: compare(reference[name], streamed[name], what=f"{where}: {name}") for name in reference}
    for name, agreement in found.items():
        if (miss := tolerance.miss(agreement)) is not None:
            raise CheckError(f"{where} fails on the stream: {name}: {miss}")
    return found


def streamed_reference(
    network: Network, part: StepPart, frames: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Run an encoder on a clip in torch: ``trunk`` and ``feature``, as step and head are to make them.

    Parameters
    ----------
    network
        The whole encoder with its weights.
    part, frames
        As for `check_streaming`.

    Returns
    -------
    dict
        ``trunk`` [1, m, F, C], the outputs of all calls that the clip fills; ``feature`` [1, D], of all
        outputs that the clip completes.
    """
    import torch

    from .rings import head_network, offline_trunk

    count = frames.shape[1]
    with torch.inference_mode():
        trunk = offline_trunk(network, torch.from_numpy(frames))
        complete = trunk[:, : part.streaming_spec().output_count(count)]
        feature = head_network(network)(complete.mean(dim=1, keepdim=True))
    return {"trunk": trunk[:, : part.plan.output_count(count)].numpy(), "feature": feature.numpy()}
