"""What of an ONNX artefact really runs in integers: read from the graph as onnxruntime has optimised it.

A file full of quantized weights may still compute in float: onnxruntime turns only those patterns into
integer operators that it has kernels for, and says nothing of the others.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from voxtoon.errors import CheckError

from .audit import Audit, Operator
from .graph import attribute
from .ranges import with_outputs

if TYPE_CHECKING:
    import onnx

# Operators that multiply with weights, and which of their inputs the weights are.
_FLOAT: Final = {
    "Conv": 1,
    "FusedConv": 1,
    "NhwcFusedConv": 1,
    "ConvTranspose": 1,
    "Gemm": 1,
    "FusedGemm": 1,
    "MatMul": 1,
    "FusedMatMul": 1,
    "MatMulNBits": 1,
}
_INTEGER: Final = {
    "QLinearConv": 3,
    "QGemm": 3,
    "QLinearMatMul": 3,
    "ConvInteger": 1,
    "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1,
    "DynamicQuantizeMatMul": 1,
}
_CONVERSIONS: Final = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_OPTIMISED: Final = "optimised.onnx"


def audit(model: bytes, inputs: Mapping[str, NDArray[Any]], *, signed: bool = False) -> Audit:
    """Audit an ONNX artefact.

    Parameters
    ----------
    model
        The artefact.
    inputs
        Of one run; how much is multiplied depends on their length.
    signed
        Tell what runs in integers where onnxruntime takes signed activations as they are, as it does on ARM;
        elsewhere it makes unsigned ones of most, and leaves the rest to float.

    Raises
    ------
    CheckError
        onnxruntime cannot load or run it.
    """
    optimised = _optimised(model, signed=signed)
    values = {**_all_values(optimised, inputs), **inputs}
    makers = {name: node.op_type for node in optimised.graph.node for name in node.output}
    weights = {item.name: tuple(item.dims) for item in optimised.graph.initializer}
    return Audit(
        tuple(
            _operator(node, values, weights, makers)
            for node in optimised.graph.node
            if node.op_type not in _CONVERSIONS
        )
    )


def _optimised(model: bytes, *, signed: bool) -> onnx.ModelProto:
    import onnx
    import onnxruntime  # type: ignore[import-untyped]

    # All that decides between integers and floats. The last level only lays tensors out for this machine: it
    # pads channels, and so would count multiplications that are none.
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / _OPTIMISED
        entries = {"session.qdqisint8allowed": "1"} if signed else {}
        session_of(
            onnxruntime, model, entries, graph_optimization_level=level, optimized_model_filepath=str(place)
        )
        return onnx.load(place)


def _all_values(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What every node of the optimised graph makes."""
    import onnxruntime

    opened = with_outputs(model, [name for node in model.graph.node for name in node.output if name])
    as_it_is = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = session_of(onnxruntime, opened.SerializeToString(), {}, graph_optimization_level=as_it_is)
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def session_of(onnxruntime: Any, model: bytes, entries: Mapping[str, str], **options: Any) -> Any:
    """Load a model in onnxruntime with these options; raises CheckError."""
    chosen = onnxruntime.SessionOptions()
    chosen.log_severity_level = 4
    chosen.intra_op_num_threads = 1
    for name, value in options.items():
        setattr(chosen, name, value)
    for name, text in entries.items():
        chosen.add_session_config_entry(name, text)
    try:
        return onnxruntime.InferenceSession(model, chosen, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes share no base of their own
        reason = str(error).strip().splitlines()[0]
        raise CheckError("onnxruntime cannot load the artefact", got=reason) from error


def _operator(
    node: onnx.NodeProto,
    values: Mapping[str, NDArray[Any]],
    weights: Mapping[str, tuple[int, ...]],
    makers: Mapping[str, str],
) -> Operator:
    position = (_FLOAT | _INTEGER).get(node.op_type)
    if position is None or len(node.input) <= position or node.input[position] not in _known(weights, makers):
        seen = [values[name] for name in (*node.input[:1], *node.output[:1]) if name in values]
        integer = all(item.dtype.kind in "iu" for item in seen)
        return Operator("", node.op_type, 0, None if integer else "it works on float32")
    weight = node.input[position]
    layer = weight.split(".weight")[0]
    reason = None if node.op_type in _INTEGER else _reason(node, makers)
    return Operator(layer, node.op_type, _macs(node, values, weights.get(weight)), reason)


def _known(weights: Mapping[str, tuple[int, ...]], makers: Mapping[str, str]) -> set[str]:
    """Weights, also those that are dequantized at every run."""
    return {*weights, *(name for name, kind in makers.items() if kind in _CONVERSIONS)}


def _macs(node: onnx.NodeProto, values: Mapping[str, NDArray[Any]], shape: tuple[int, ...] | None) -> int:
    output = values[node.output[0]]
    if node.op_type == "MatMulNBits":
        return output.size * int(attribute(node, "K"))
    if shape is None:
        shape = values[node.input[(_FLOAT | _INTEGER)[node.op_type]]].shape
    if node.op_type == "ConvTranspose":
        return int(values[node.input[0]].size * math.prod(shape[1:]))
    if len(shape) > 2:
        return int(output.size * math.prod(shape[1:]))
    return int(output.size * math.prod(shape) // output.shape[-1])


def _reason(node: onnx.NodeProto, makers: Mapping[str, str]) -> str:
    if node.op_type == "ConvTranspose":
        return "onnxruntime has no integer kernel of it"
    if node.op_type == "MatMulNBits":
        return "its weights alone are integers"
    if any(makers.get(name) == "DequantizeLinear" for name in node.input):
        return "quantized, but onnxruntime has no integer kernel of this form"
    return "left in float32"
