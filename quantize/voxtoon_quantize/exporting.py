"""Export and quantization in one go: what `voxtoon export --precision int8` does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxtoon_export.exporter import Report as ExportReport
from voxtoon_export.exporter import export

from .formats import quantized_format
from .quantizer import Progress, quantize
from .recipe import Recipe
from .report import INT8, Report

if TYPE_CHECKING:
    from voxtoon_export.checkpoint import Checkpoint


def export_quantized(
    checkpoint: Checkpoint,
    *,
    output: Path,
    calibrate: Path,
    recipe: Recipe,
    formats: Sequence[str] = ("onnx",),
    precisions: Sequence[str] = (INT8,),
    audio: Sequence[str | os.PathLike[str]] = (),
    allow: bool = False,
    streaming: str = "both",
    progress: Progress | None = None,
) -> tuple[ExportReport, Report]:
    """Export a checkpoint, verified against torch, and quantize the float artefacts, judged against them.

    Parameters
    ----------
    checkpoint, output, formats, audio, streaming, progress
        As for `voxtoon_export.exporter.export`.
    calibrate, recipe, allow
        As for `quantize`.
    precisions
        What the bundle shall hold. Without fp32 its float artefacts are made, and left out: a bundle of int8
        alone has no part that is there for evaluation.

    Raises
    ------
    InputError, CheckError
        As for both. Nothing is written then.
    """
    for name in formats:
        quantized_format(name)
    kept = [name for name in dict.fromkeys(precisions) if name != INT8]
    # Beside the output, where its space is wanted in the end.
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.absolute().parent) as folder:
        exported = export(
            checkpoint,
            output=Path(folder) / "float.voxtoon",
            formats=formats,
            precisions=list(dict.fromkeys([*kept, "fp32"])),
            audio=audio,
            streaming=streaming,
            progress=progress,
        )
        quantized = quantize(
            exported.bundle,
            audio=calibrate,
            recipe=recipe,
            formats=formats,
            output=output,
            allow=allow,
            keep=kept,
            progress=progress,
        )
    return exported, quantized
