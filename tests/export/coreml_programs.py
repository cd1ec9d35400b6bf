"""Core ML programs for tests: built, saved, and read back from the file by the evaluator."""

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxtoon_export.converter_noise import silenced
from voxtoon_export.coreml_reference import ReferenceModel, load

with silenced():
    import coremltools as ct
    from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  its usual name
    from coremltools.converters.mil.mil import types

FP32, FP16 = ct.precision.FLOAT32, ct.precision.FLOAT16
_TYPES = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32, "bool": types.bool}


def save(build: Callable[..., Any], folder: Path, *, target: Any = None, **inputs: Any) -> Path:
    """Save the program whose body is `build`, with inputs of the types and shapes of `inputs`, as it stands.

    `build` takes one variable per input, in their order and of their names, and returns one or several. A
    `mb.TensorSpec` or `mb.StateTensorSpec` may stand for an array.
    """
    target = target or ct.target.iOS17
    specs = [_spec(array) for array in inputs.values()]
    path = folder / "program.mlpackage"
    with silenced(), nothing_to_collect():
        program = mb.program(input_specs=specs, opset_version=target)(build)
        ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=target,
            compute_precision=FP32,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        ).save(str(path))
    return path


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Spare a conversion its collection of garbage, which takes longer than all else that it does."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def saved(build: Callable[..., Any], *, target: Any = None, **inputs: Any) -> ReferenceModel:
    """Save a program as `save` does, and load it."""
    with tempfile.TemporaryDirectory() as folder:
        return load(save(build, Path(folder), target=target, **inputs))


def computed(build: Callable[..., Any], *, target: Any = None, **inputs: Any) -> Any:
    """Compute the outputs of a program, after it was saved and read back: an array, or a list of arrays."""
    outputs = list(saved(build, target=target, **inputs).predict(inputs).values())
    return outputs[0] if len(outputs) == 1 else outputs


def normal(*shape: int, seed: int = 0) -> Any:
    """Normally distributed float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _spec(array: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array
    return mb.TensorSpec(shape=array.shape, dtype=_TYPES[array.dtype.name])
