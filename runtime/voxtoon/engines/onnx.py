"""onnxruntime on the CPU, kept small and silent."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.engines import Arrays, DType, EngineSpec, Session
from voxtoon.errors import CheckError, InputError
from voxtoon.int8_overflow import PRECISE, products_overflow

if TYPE_CHECKING:
    import onnxruntime  # type: ignore[import-untyped]

_DEFAULT_THREADS = 1
_FATAL = 4
_TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"} | {
    f"tensor({name})": name for name in ("int8", "uint8", "int32", "int64", "bool")
}
_FOR_DOT_PRODUCTS_ONLY = ("1.21.0",)


@dataclass(frozen=True)
class OnnxSession:
    """An artefact in onnxruntime."""

    inference: onnxruntime.InferenceSession
    precision: str
    engine: str = "onnx"

    @property
    def input_types(self) -> dict[str, DType]:
        """What the elements of each input are."""
        return {item.name: np.dtype(_TYPES[item.type]) for item in self.inference.get_inputs()}

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
    options = _options(threads)
    try:
        if precision.startswith("int8") and products_overflow():
            options.add_session_config_entry(*PRECISE)
        inference = _inference(model, options)
    except Exception as error:  # its exception classes share no base of their own
        reason = str(error).strip().splitlines()[0]
        raise CheckError(
            "onnxruntime cannot load the artefact", got=reason, hint="export it again"
        ) from error
    return OnnxSession(inference, precision)


def kernels(model: bytes, inputs: Arrays) -> dict[str, int]:
    """Count the kernels of the optimised graph, as ``provider: operator``, by profiling one run."""
    options = _options(None)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        inference = _inference(model, options)
        inference.run(None, dict(inputs))
        events = json.loads(Path(inference.end_profiling()).read_bytes())
    ran = (event["args"] for event in events if event["name"].endswith("_kernel_time"))
    return dict(Counter(f"{found['provider']}: {found['op_name']}" for found in ran))


def check_processor(version: str, *, machine: str, cpuinfo: str) -> None:
    """Refuse an onnxruntime that would kill this process as soon as it is imported.

    Parameters
    ----------
    version
        Of onnxruntime.
    machine, cpuinfo
        The processor, as ``uname -m`` and ``/proc/cpuinfo`` tell it.

    Raises
    ------
    InputError
        For version 1.21.0 on a processor without dot products, like that of a Raspberry Pi 4
        (microsoft/onnxruntime#23957).
    """
    if machine == "aarch64" and version in _FOR_DOT_PRODUCTS_ONLY and "asimddp" not in cpuinfo:
        raise InputError(
            f"onnxruntime {version} dies of an illegal instruction on this processor",
            hint="pip install 'onnxruntime!=1.21.0'",
        )


def _check_installed() -> None:
    machine = platform.machine()
    if machine == "aarch64":  # nothing is read where nothing can be wrong
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(errors="replace")
        except OSError:
            return
        check_processor(metadata.version("onnxruntime"), machine=machine, cpuinfo=cpuinfo)


def _options(threads: int | None) -> Any:
    _check_installed()
    # onnxruntime 1.29 and later reports its use to its makers unless told not to before it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _DEFAULT_THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    # The arena would hold the largest intermediate for as long as we live.
    options.enable_cpu_mem_arena = False
    return options


def _inference(model: bytes, options: Any) -> onnxruntime.InferenceSession:
    import onnxruntime

    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


ENGINE = EngineSpec(
    name="onnx",
    format="onnx",
    package="onnxruntime",
    module="onnxruntime",
    load=load,
    kernels=kernels,
    check=_check_installed,
)
