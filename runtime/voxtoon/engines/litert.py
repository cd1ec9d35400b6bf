"""LiteRT on the CPU: ai-edge-litert, or its predecessor tflite-runtime where only that is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.engines import Arrays, DType, EngineSpec, Session
from voxtoon.errors import CheckError, InputError
from voxtoon.native_noise import native_stderr_silenced

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_THREADS = 1
_CURRENT = ("ai-edge-litert", "ai_edge_litert")
_PREDECESSOR = ("tflite-runtime", "tflite_runtime")
_PACKAGE, _MODULE = _CURRENT if find_spec(_CURRENT[1]) or not find_spec(_PREDECESSOR[1]) else _PREDECESSOR


@dataclass(frozen=True)
class LitertSession:
    """An artefact in LiteRT: its interpreter, and the numbers of its inputs and outputs by name."""

    interpreter: Any
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    precision: str
    engine: str = "litert"
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def input_types(self) -> dict[str, DType]:
        """What the elements of each input are."""
        types = {item["index"]: np.dtype(item["dtype"]) for item in self.interpreter.get_input_details()}
        return {name: types[index] for name, index in self.inputs.items()}

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once.

        Raises
        ------
        InputError
            The inputs are not those of the part.
        """
        if inputs.keys() != self.inputs.keys():
            raise InputError("inputs", got=", ".join(inputs), expected=", ".join(self.inputs))
        with self._lock:  # an interpreter has one set of tensors
            self._resize({name: array.shape for name, array in inputs.items()})
            for name, array in inputs.items():
                self.interpreter.set_tensor(self.inputs[name], np.ascontiguousarray(array))
            self.interpreter.invoke()
            return {name: self.interpreter.get_tensor(index) for name, index in self.outputs.items()}

    def _resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        now = {detail["index"]: tuple(detail["shape"]) for detail in self.interpreter.get_input_details()}
        changed = {
            self.inputs[name]: shape for name, shape in shapes.items() if now[self.inputs[name]] != shape
        }
        if changed:
            for index, shape in changed.items():
                self.interpreter.resize_tensor_input(index, shape)
            with native_stderr_silenced():
                self.interpreter.allocate_tensors()


def load(model: bytes, *, precision: str, threads: int | None) -> Session:
    """Load a TFLite model that has one signature.

    Raises
    ------
    InputError
        When the installed tflite-runtime cannot work with the installed numpy.
    CheckError
        When LiteRT refuses the model, or it has no signature of its own.
    """
    if _PACKAGE == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        raise InputError(
            "tflite-runtime does not work with this numpy",
            got=np.__version__,
            expected="below 2",
            hint="pip install ai-edge-litert, or 'numpy<2'",
        )
    library = import_module(f"{_MODULE}.interpreter")
    try:
        with native_stderr_silenced():  # it tells which delegate it takes
            interpreter = library.Interpreter(model_content=model, num_threads=threads or _DEFAULT_THREADS)
            interpreter.allocate_tensors()
    except Exception as error:  # SystemError among them, where numpy is too new for it
        reason = str(error).strip().splitlines()[0]
        raise CheckError("LiteRT cannot load the artefact", got=reason, hint="export it again") from error
    signatures = list(interpreter.get_signature_list())
    if len(signatures) != 1:
        held = ", ".join(signatures) or "none"
        raise CheckError("the artefact is not one part", got=held, expected="one signature")
    signature = interpreter.get_signature_runner(signatures[0])
    inputs, outputs = (
        {name: detail["index"] for name, detail in details.items()}
        for details in (signature.get_input_details(), signature.get_output_details())
    )
    return LitertSession(interpreter, inputs, outputs, precision)


ENGINE = EngineSpec(name="litert", format="litert", package=_PACKAGE, module=_MODULE, load=load)
