"""What the peers make of float parts, called plainly: onnxruntime, ai-edge-quantizer, onnx2tf."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import onnx2tf
from voxtoon_export.converter_noise import silenced
from voxtoon_quantize.formats import FloatPart, Inputs
from voxtoon_quantize.judging import Judged


def quantize_static(content: bytes, inputs: Sequence[Inputs]) -> bytes:
    """By onnxruntime, with its defaults, calibrated on these inputs."""
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives inputs one by one, and None at the end."""

        def __init__(self) -> None:
            self._rest = iter(inputs)

        def get_next(self) -> Any:
            """The next, if there is one."""
            return next(self._rest, None)

    return _by_file(content, lambda source, made: quantize_static(source, made, Reader()))


def quantize_dynamic(content: bytes, inputs: Sequence[Inputs]) -> bytes:
    """By onnxruntime, with its defaults; it takes no inputs."""
    from onnxruntime.quantization import quantize_dynamic

    return _by_file(content, quantize_dynamic)


def _by_file(content: bytes, tool: Callable[[Path, Path], None]) -> bytes:
    """Run a tool that reads and writes files."""
    with tempfile.TemporaryDirectory() as folder, silenced():
        source, made = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        source.write_bytes(content)
        tool(source, made)
        return made.read_bytes()


BY_ONNXRUNTIME: Final = {
    "quantize_static, as it comes": quantize_static,
    "quantize_dynamic": quantize_dynamic,
}
BY_AI_EDGE_QUANTIZER: Final = ("static_wi8_ai8", "dynamic_wi8_afp32", "weight_only_wi8_afp32")
"""Recipes of it that are applied as they come."""


def by_ai_edge_quantizer(name: str, part: FloatPart, inputs: Sequence[Inputs]) -> bytes:
    """What one of its recipes makes of a part in LiteRT, with floats at its edges."""
    assert isinstance(part.content, bytes)
    with silenced():
        from ai_edge_quantizer import quantizer, recipe  # type: ignore[import-untyped]

        edges: list[dict[str, Any]] = [
            {"regex": ".*", "operation": edge, "algorithm_key": "no_quantize", "op_config": {}}
            for edge in ("INPUT", "OUTPUT")
        ]
        work = quantizer.Quantizer(part.content, [*getattr(recipe, name)(), *edges])
        seen = work.calibrate({part.name: list(inputs)}, num_threads=1) if work.need_calibration else None
        return bytes(work.quantize(seen, enable_progress_report=False).quantized_model)


def by_onnx2tf(command: str, models: Mapping[str, bytes], judged: Judged) -> dict[str, dict[str, bytes]]:
    """What onnx2tf makes of the parts' ONNX files with integers: part to artefact, by the kind's name."""
    made: dict[str, dict[str, bytes]] = {f"onnx2tf's {kind}": {} for kind in onnx2tf.INTEGERS}
    for name, model in models.items():
        inputs = judged.inputs[name]
        outputs = judged.floats[name].run(inputs[0])
        found = onnx2tf.converted(command, model, inputs, integers=True)
        for kind in onnx2tf.INTEGERS:
            made[f"onnx2tf's {kind}"][name] = onnx2tf.with_names(found[kind], inputs[0], outputs)
    return made
