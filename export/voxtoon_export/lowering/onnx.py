"""Lowering to ONNX, by torch's own exporter.

What was measured (``python benchmarks/onnx_export.py``, see docs/export.md): opsets 18 to 21 give the same
nodes, bytes, latency and outputs, so the oldest is taken, which the most runtimes read (17 is not written
natively). The exporter's own optimisation leaves nothing for onnxsim or onnxslim to find; they are not used.
The older TorchScript exporter gives the same operators, with some `Identity` more; it is deprecated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from voxtoon.agreement import Tolerance
from voxtoon.errors import CheckError, InputError
from voxtoon_export.conversion_failure import conversion_failure
from voxtoon_export.converter_noise import silenced
from voxtoon_export.first_difference import Intermediate
from voxtoon_export.lowering import Declaration, Format, Tensor

if TYPE_CHECKING:
    import onnx
    from torch import nn

OPSET: Final = 18
# Protocol buffers end there; ONNX goes on in files of weights, but an artefact is one file.
MAXIMUM_BYTES: Final = 2**31 - 1

_OPERATION: Final = re.compile(r"OpOverload\(op='([^']+)'")


def lower(module: nn.Module, part: Declaration, precisions: Sequence[str]) -> Mapping[str, bytes]:
    """Lower a part to ONNX.

    Parameters
    ----------
    module
        The part with its weights, in eval mode.
    precisions
        Of ``fp32`` and ``fp16``; the latter stores weights in float16 and computes in float32.

    Returns
    -------
    mapping
        From precision to the bytes of a file.

    Raises
    ------
    CheckError
        torch could not convert the part, and the layer and operation at fault are named; the file would be
        larger than ONNX can be; or a weight is beyond what float16 holds.
    """
    from voxtoon_export.onnx_graph import with_float16_weights

    try:
        model = exported_model(module, part, opset=OPSET)
    except Exception as error:  # torch raises whatever went wrong inside it
        raise conversion_failure(
            module,
            part,
            error,
            target="ONNX",
            operation=_OPERATION,
            convert=lambda layer, alone: exported_model(layer, alone, opset=OPSET),
        ) from error
    lowered = {}
    for precision in precisions:
        if precision not in FORMAT.tolerances:
            raise InputError(
                "unknown precision for onnx", got=precision, expected=", ".join(FORMAT.tolerances)
            )
        lowered[precision] = _serialised(
            model if precision == "fp32" else with_float16_weights(model), part.name
        )
    return lowered


def exported_model(module: nn.Module, part: Declaration, *, opset: int) -> onnx.ModelProto:
    """Return the ONNX model of a part, float32, its time axis (if it has one) of any length."""
    import torch

    from voxtoon_export.onnx_graph import without_traces

    least = part.minimum_frames or 1

    def example(declared: Tensor) -> torch.Tensor:
        return torch.zeros([least if isinstance(size, str) else size for size in declared.shape])

    def free_axes(declared: Tensor) -> dict[int, Any]:
        sizes = enumerate(declared.shape)
        return {axis: torch.export.Dim(size, min=least) for axis, size in sizes if isinstance(size, str)}

    dynamic = tuple(map(free_axes, part.inputs))
    with silenced():
        program = torch.onnx.export(
            module,
            tuple(map(example, part.inputs)),
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=[item.name for item in part.inputs],
            output_names=[item.name for item in part.outputs],
            # The arguments of a step are one in its signature, which a tuple of all of them would not fit.
            dynamic_shapes=dynamic if any(dynamic) else None,
        )
    assert program is not None  # torch returns None only to callers of its older exporter
    return without_traces(program.model_proto)


def _serialised(model: onnx.ModelProto, part: str) -> bytes:
    if (size := model.ByteSize()) > MAXIMUM_BYTES:
        raise CheckError(f"{part} is too large for one ONNX file", got=f"{size} bytes", expected="under 2 GB")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def intermediates(content: bytes, inputs: Mapping[str, Any]) -> Iterator[Intermediate]:
    """Run a file in onnxruntime and yield what every node makes."""
    import onnx

    from voxtoon.engines.onnx import load

    model = onnx.load_from_string(content)
    made = [(node.op_type, name) for node in model.graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for _, name in made)
    values = load(model.SerializeToString(), precision="fp32", threads=None).run(inputs)
    yield from (Intermediate(kind, name, values[name]) for kind, name in made)


FORMAT: Final = Format(
    name="onnx",
    extension=".onnx",
    engine="onnx",
    tolerances={"fp32": Tolerance(max_abs_relative=1e-5), "fp16": Tolerance(psnr_db=60.0)},
    minimum_runtime={"onnxruntime": "1.20"},
    lower=lower,
    intermediates=intermediates,
)
