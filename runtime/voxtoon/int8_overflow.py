"""Whether integer products overflow on this processor.

On x86 without VNNI, onnxruntime adds products of unsigned activations and signed weights in 16 bits, which
saturate: the outputs are wrong without a word. It has slower kernels that do not, for who asks for them; on a
processor with VNNI they would cost all the speed of integers (2.8x became 1.0x). So one sum is tried.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

PRECISE: Final = ("session.x64quantprecision", "1")
"""The option of a session that takes the slower kernels."""

_INPUTS, _OUTPUTS = 64, 16
_ACTIVATION, _WEIGHT = 255, 127
# ONNX, opset 13: y[1, 16] = MatMulInteger(x[1, 64] uint8, w[64, 16] int8), all weights 127.
_MODEL: Final = (
    b'\x08\x08:\xda\x08\n\x18\n\x01x\n\x01w\x12\x01y"\rMatMulInteger\x12\x05probe'
    b"*\x8c\x08\x08@\x08\x10\x10\x03B\x01wJ\x80\x08"
    + bytes([_WEIGHT])
    * (_INPUTS * _OUTPUTS)
    + b"Z\x13\n\x01x\x12\x0e\n\x0c\x08\x02\x12\x08\n\x02\x08\x01\n\x02\x08@"
    b"b\x13\n\x01y\x12\x0e\n\x0c\x08\x06\x12\x08\n\x02\x08\x01\n\x02\x08\x10B\x04\n\x00\x10\r"
)


@cache
def products_overflow() -> bool:
    """Whether onnxruntime's integer kernels, as they are chosen by default, get a large sum wrong here."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return _sum(onnxruntime.InferenceSession(_MODEL, options, providers=["CPUExecutionProvider"])) != (
        _INPUTS * _ACTIVATION * _WEIGHT
    )


def _sum(session: Any) -> int:
    return int(session.run(None, {"x": np.full((1, _INPUTS), _ACTIVATION, np.uint8)})[0].min())
