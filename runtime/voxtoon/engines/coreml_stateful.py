"""Core ML artefacts that keep their state themselves, to check them anywhere: see `coreml`.

Core ML keeps state between two predictions (iOS 18, `MLState`), and in float16 alone. An artefact in float32
therefore keeps each state as two: what float16 makes of a value, and under the name with `REST` behind it
what float16 makes of the rest. Their sum has 22 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.engines import Arrays, DType, EngineSpec, Session

from .coreml import loaded_package

if TYPE_CHECKING:
    from voxtoon_export.coreml_reference import ReferenceModel

REST: Final = "_rest"


@dataclass(frozen=True)
class CoreMLStatefulSession:
    """An artefact in the evaluator, its state in the open.

    Every state is an input, and as ``next_<name>`` an output, as of the artefacts of the other formats. So
    one session serves any number of streams, and whatever checks the others checks it.
    """

    model: ReferenceModel
    precision: str
    engine: str = "coreml_stateful"

    @property
    def input_types(self) -> dict[str, DType]:
        """What the elements of each input are, float32 of a state."""
        states = [name for name in self.model.make_state() if not name.endswith(REST)]
        return {item.name: item.dtype for item in self.model.inputs} | dict.fromkeys(
            states, np.dtype(np.float32)
        )

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""
        state = self.model.make_state()
        for name in state:
            if not name.endswith(REST):
                value = np.asarray(inputs[name], np.float32)
                state[name] = value.astype(np.float16)
                if name + REST in state:
                    state[name + REST] = (value - state[name]).astype(np.float16)
        outputs = self.model.predict({item.name: inputs[item.name] for item in self.model.inputs}, state)
        kept = {name: value.astype(np.float32) for name, value in state.items()}
        for name, value in kept.items():
            if not name.endswith(REST):
                outputs[f"next_{name}"] = value + kept[name + REST] if name + REST in kept else value
        return outputs


def load(model: Mapping[str, bytes], *, precision: str, threads: int | None) -> Session:
    """Load the files of an ``.mlpackage``; NumPy decides on the threads. Raises as `loaded_package` does."""
    return CoreMLStatefulSession(loaded_package(model), precision)


ENGINE = EngineSpec(
    name="coreml_stateful",
    format="coreml_stateful",
    package="coremltools",
    module="coremltools",
    load=load,
    takes_folders=True,
    automatic=False,
)
