"""onnxruntime on the CPU, kept small and silent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from voxtoon.engines import Arrays, EngineSpec, Session
from voxtoon.errors import CheckError

if TYPE_CHECKING:
    import onnxruntime  # type: ignore[import-untyped]

_DEFAULT_THREADS = 1
_FATAL = 4


@dataclass(frozen=True)
class OnnxSession:
    """An artefact in onnxruntime."""

    inference: onnxruntime.InferenceSession
    precision: str
    engine: str = "onnx"

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""
        names = [output.name for output in self.inference.get_outputs()]
        return dict(zip(names, self.inference.run(names, dict(inputs)), strict=True))


def load(model: bytes, *, precision: str, threads: int | None) -> Session:
    """Load an ONNX model.

    Raises
    ------
    CheckError
        When onnxruntime refuses the model.
    """
    # onnxruntime 1.29 and later reports its use to its makers unless told not to before it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _DEFAULT_THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    options.enable_cpu_mem_arena = (
        False  # the arena would hold the largest intermediate for as long as we live
    )
    try:
        inference = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes share no base of their own
        reason = str(error).strip().splitlines()[0]
        raise CheckError(
            "onnxruntime cannot load the artefact", got=reason, hint="export it again"
        ) from error
    return OnnxSession(inference, precision)


ENGINE = EngineSpec(name="onnx", format="onnx", package="onnxruntime", module="onnxruntime", load=load)
