"""The step of a streaming encoder as ONNX; the head is lowered as any other part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from voxtoon.errors import InputError

from ..lowering.onnx import FORMAT, OPSET

if TYPE_CHECKING:
    from .step import StepNetwork


def lower_step(module: StepNetwork, precisions: Sequence[str]) -> Mapping[str, bytes]:
    """Lower a step to ONNX.

    Parameters
    ----------
    module
        The step with its weights, in eval mode.
    precisions
        Those of `voxtoon_export.lowering.onnx`. At fp16 the weights are halves; the state stays float32, as
        the computation does.

    Returns
    -------
    mapping
        From precision to the bytes of a file.

    Raises
    ------
    InputError
        A precision is unknown.
    CheckError
        A weight is beyond what float16 holds.
    """
    import torch

    from ..onnx_graph import with_float16_weights, without_traces

    for precision in precisions:
        if precision not in FORMAT.tolerances:
            raise InputError(
                "unknown precision for onnx", got=precision, expected=", ".join(FORMAT.tolerances)
            )
    spec = module.spec
    program = torch.onnx.export(
        module,
        module.first_inputs(),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        input_names=[item.name for item in spec.inputs],
        output_names=[item.name for item in spec.outputs],
    )
    assert program is not None  # torch returns None only to callers of its older exporter
    model = without_traces(program.model_proto)
    return {
        precision: (model if precision == "fp32" else with_float16_weights(model)).SerializeToString(
            deterministic=True
        )
        for precision in precisions
    }
