"""Other ways to run a part: each makes a network or an ONNX model ready, as its own documentation does.

All keep their own defaults but the number of threads.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]
Run = Callable[[], list[Any]]


def torch_eager(network: Any, inputs: Arrays, *, threads: int) -> Run:
    """PyTorch as it is."""
    import torch

    torch.set_num_threads(threads)
    (value,) = _tensors(inputs)

    def run() -> list[Any]:
        with torch.inference_mode():
            found = network(value)
        tensors = found if isinstance(found, tuple) else (found,)
        return [tensor.numpy() for tensor in tensors]

    return run


def torch_compile(network: Any, inputs: Arrays, *, threads: int) -> Run:
    """PyTorch's own compiler, which needs one for C++; it compiles at the first run."""
    import torch

    return torch_eager(torch.compile(network), inputs, threads=threads)


def plain_export(network: Any, inputs: Arrays) -> bytes:
    """What ``torch.onnx.export`` gives when asked for nothing."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plain.onnx")
        torch.onnx.export(network, _tensors(inputs), str(path), external_data=False, verbose=False)
        return path.read_bytes()


def onnxruntime(content: bytes, inputs: Arrays, *, threads: int) -> Run:
    """ONNX Runtime without what voxtoon sets."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = dict(zip((item.name for item in session.get_inputs()), inputs.values(), strict=True))
    return lambda: list(session.run(None, feeds))


def openvino(content: bytes, inputs: Arrays, *, threads: int) -> Run:
    """OpenVINO, which reads ONNX."""
    openvino = import_module("openvino")

    core = openvino.Core()
    (value,) = inputs.values()
    model = core.read_model(content, b"")
    model.reshape(list(value.shape))
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})
    return lambda: list(compiled([value]).values())


def ncnn(network: Any, inputs: Arrays, *, threads: int) -> Run:
    """ncnn, which takes what pnnx makes of a traced network; it knows no axis for the batch."""
    import torch

    pnnx, ncnn = import_module("pnnx"), import_module("ncnn")
    (value,) = inputs.values()
    net = ncnn.Net()
    net.opt.num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        traced: Any = torch.jit.trace(network, _tensors(inputs), check_trace=False)  # type: ignore[no-untyped-call]
        traced.save(f"{folder}/part.pt")
        shape = ",".join(map(str, value.shape))
        command = [pnnx.EXEC_PATH, "part.pt", f"inputshape=[{shape}]f32", "fp16=0"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        net.load_param(f"{folder}/part.ncnn.param")
        net.load_model(f"{folder}/part.ncnn.bin")
    (input_name,), output_names = net.input_names(), net.output_names()
    held = np.ascontiguousarray(value[0])
    fed = ncnn.Mat(held)

    def run() -> list[Any]:
        extractor = net.create_extractor()
        extractor.input(input_name, fed)
        return [np.array(extractor.extract(name)[1])[np.newaxis] for name in output_names]

    return run


def _tensors(inputs: Arrays) -> tuple[Any, ...]:
    import torch

    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in inputs.values())
