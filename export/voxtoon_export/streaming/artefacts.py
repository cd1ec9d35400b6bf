"""Step and head of an encoder as artefacts: made in a format, and checked as a pair over whole clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxtoon import manifest
from voxtoon.agreement import Agreement, worst
from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError

from .check import check_streaming, streamed_reference
from .parts import StepPart, head_part, step_part

if TYPE_CHECKING:
    from voxtoon.front_end_spec import FrontEndSpec
    from voxtoon_export.lowering import About, Content, Format
    from voxtoon_export.network import Network
    from voxtoon_export.parity import Case
    from voxtoon_export.parts import PartSpec

Clips = Mapping[str, NDArray[np.float32]]
"""Name of a clip to its frames, ``[1, n, F, C]``."""


@dataclass(frozen=True)
class StreamedEncoder:
    """An encoder with its weights, and the two parts that are the same on a stream.

    Parameters
    ----------
    network
        The whole encoder.
    step, head
        Declared.
    """

    network: Network
    step: StepPart
    head: PartSpec
    _references: dict[str, dict[str, NDArray[np.float32]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, network: Network) -> StreamedEncoder:
        """Derive both; InputError where the encoder cannot be streamed."""
        return cls(network, step_part(network.spec), head_part(network.spec))

    def lowered(
        self, file_format: Format, precisions: Sequence[str]
    ) -> Iterator[tuple[str, Content, Content]]:
        """Yield each precision, and the artefacts of step and head in it."""
        from .rings import head_network
        from .step import StepNetwork

        network = StepNetwork(self.network, self.step, channel_first=file_format.channel_first)
        step = file_format.lower(network.eval(), self.step, precisions)
        head = file_format.lower(head_network(self.network), self.head, precisions)
        for precision in precisions:
            yield precision, step[precision], head[precision]

    def checked(
        self,
        file_format: Format,
        precisions: Sequence[str],
        cases: Sequence[Case],
        *,
        about: Callable[[str], About],
    ) -> Iterator[tuple[str, str, Content, Agreement]]:
        """Lower both, and yield of each and each precision: part, precision, artefact and agreement.

        Parameters
        ----------
        cases
            Of the whole encoder: they are checked on the same frames, as a pair.
        about
            Part to what an artefact of it tells of itself.

        Raises
        ------
        CheckError
            As `check`; that artefact and those after it are not given then.
        """
        clips = {case.name: case.inputs["frames"] for case in cases}
        for precision, step, head in self.lowered(file_format, precisions):
            step = file_format.labelled(step, about(self.step.name))
            head = file_format.labelled(head, about(self.head.name))
            of_step, of_head = self.check(file_format, precision, step, head, clips)
            yield self.step.name, precision, step, of_step
            yield self.head.name, precision, head, of_head

    def check(
        self, file_format: Format, precision: str, step: Content, head: Content, clips: Clips
    ) -> tuple[Agreement, Agreement]:
        """Run both over whole clips, call by call, against the encoder in torch.

        Returns
        -------
        tuple
            Of the step, the worst over every output of every call; of the head, the worst over the features,
            which both have made.

        Raises
        ------
        CheckError
            One of them misses the tolerance of the format, or cannot be run or compared.
        """
        engine, tolerance = ENGINES[file_format.engine], file_format.tolerances[precision]
        loaded = engine.load(step, precision=precision, threads=None)
        loaded_head = engine.load(head, precision=precision, threads=None)
        found = []
        for name, frames in clips.items():
            where = f"{self.step.name} and {self.head.name} {file_format.name} {precision} on {name}"
            try:
                agreement = check_streaming(
                    loaded,
                    loaded_head,
                    self.step,
                    frames,
                    self._reference(name, frames),
                    tolerance=tolerance,
                    where=where,
                )
            except CheckError as error:
                raise CheckError(str(error), hint="no bundle was written") from error
            found.append(agreement)
        return worst(item["trunk"] for item in found), worst(item["feature"] for item in found)

    def _reference(self, name: str, frames: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """What torch makes of a clip: once for all artefacts, since a large encoder takes its time."""
        if name not in self._references:
            self._references[name] = streamed_reference(self.network, self.step, frames)
        return self._references[name]

    def golden(self, case: Case) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Return the outputs of both over the clip of a case of the whole encoder, by part and name."""
        made = self._reference(case.name, case.inputs["frames"])
        return {self.step.name: {"trunk": made["trunk"]}, self.head.name: {"feature": made["feature"]}}

    def part_entries(self, front_end: FrontEndSpec, *, licence: str) -> tuple[manifest.Part, manifest.Part]:
        """Return the manifest's entries of both."""
        from voxtoon_export.checkpoint_manifest import tensor_entry

        frames = self.step.plan.lead_frames + front_end.frame_count(front_end.clip_samples)
        calls = -(-frames // self.step.plan.frames)

        def entry(part: StepPart | PartSpec, macs: int) -> manifest.Part:
            return manifest.Part(
                name=part.name,
                inputs=tuple(tensor_entry(item) for item in part.inputs),
                outputs=tuple(tensor_entry(item) for item in part.outputs),
                parameters=part.parameters,
                licence=licence,
                macs_per_clip=macs,
            )

        return entry(self.step, calls * self.step.macs()), entry(self.head, self.head.macs())

    def manifest_entry(self) -> manifest.Streaming:
        """Return what the manifest says of the stream."""
        spec = self.step.streaming_spec()
        return manifest.Streaming(
            step=self.step.name,
            head=self.head.name,
            frames_per_call=spec.frames_per_step,
            lead_frames=spec.lead_frames,
            first_output_frames=spec.first_output_frames,
            stride_frames=spec.stride_frames,
        )
