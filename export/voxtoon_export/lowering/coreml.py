"""Lowering to Core ML: ML programs for iOS 17 and later, by coremltools.

Nothing is left to the converter's defaults: float16 is computed where it is asked for and nowhere else,
inputs and outputs are float32 in both, and a time axis is flexible between stated bounds. On Apple's Neural
Engine only the default length of a flexible axis runs, so that is the length of the clips that the systems
hear; any other length runs on the CPU or the GPU. See docs/coreml.md.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from voxtoon.agreement import Tolerance
from voxtoon.errors import CheckError, InputError
from voxtoon_export.converter_noise import silenced
from voxtoon_export.first_difference import Intermediate
from voxtoon_export.lowering import CLIP_FRAMES, About, Declaration, Format, Tensor

if TYPE_CHECKING:
    from torch import nn

MAXIMUM_FRAMES: Final = 3000
"""Of a flexible axis: 30 s. Core ML needs a bound, and reserves memory by it."""

MODEL: Final = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS: Final = "Data/com.apple.CoreML/weights/weight.bin"
MANIFEST: Final = "Manifest.json"

_PRECISIONS: Final = ("fp32", "fp16")
_FAILED_OPERATION: Final = re.compile(r"converting '(.*?)' op \(located at: '(.*?)'\)")
_DATE: Final = "com.github.apple.coremltools.conversion_date"

Files = Mapping[str, bytes]
"""A package: the content of each of its files, by its path inside."""


@dataclass(frozen=True)
class Target:
    """The oldest systems that run an artefact: of one autumn, so that they know the same operations."""

    ios: str
    macos: str

    @property
    def minimum_runtime(self) -> dict[str, str]:
        """As a manifest says it; coremltools reads the package on Linux."""
        return {"iOS": self.ios, "macOS": self.macos, "coremltools": "9.0"}


IOS_17: Final = Target("17", "14")


def lower(module: nn.Module, part: Declaration, precisions: Sequence[str]) -> Mapping[str, Files]:
    """Lower a part to Core ML for iOS 17; parameters, result and errors are those of `lower_for`."""
    return lower_for(IOS_17, module, part, precisions)


def lower_for(
    target: Target,
    module: nn.Module,
    part: Declaration,
    precisions: Sequence[str],
    *,
    states: Mapping[str, Sequence[int]] | None = None,
) -> Mapping[str, Files]:
    """Lower a part to Core ML.

    Parameters
    ----------
    target
        The oldest systems that shall run it.
    module
        The part with its weights, in eval mode.
    part
        Its inputs and outputs are those of the module.
    precisions
        Of ``fp32`` and ``fp16``; the latter stores weights and computes in float16.
    states
        Buffers of the module that Core ML keeps from one prediction to the next, by name: their shapes.

    Returns
    -------
    mapping
        From precision to the files of an ``.mlpackage``. The same part gives the same bytes.

    Raises
    ------
    InputError
        coremltools is not installed, or a precision is unknown.
    CheckError
        coremltools could not convert the part, and the operation and the layer at fault are named; or it
        would have changed the name of an input or output.
    """
    import torch

    from voxtoon_export.batch_norm import with_folded_batch_norms
    from voxtoon_export.network import Layered

    if find_spec("coremltools") is None:
        raise InputError("lowering to Core ML is not installed", hint="pip install 'voxtoon[export]'")
    for precision in precisions:
        if precision not in _PRECISIONS:
            raise InputError("unknown precision for coreml", got=precision, expected=", ".join(_PRECISIONS))
    with silenced():
        examples = tuple(torch.zeros(_traced_shape(item, part)) for item in part.inputs)
        folded = with_folded_batch_norms(module) if isinstance(module, Layered) else module
        traced = torch.jit.trace(folded, examples, check_trace=False)  # type: ignore[no-untyped-call]
    packages = {}
    for precision in precisions:
        model = _converted(traced, part, precision, target, states or {})
        _check_names(model, part)
        packages[precision] = package_files(model)
    return packages


def _compute_precision(precision: str) -> Any:
    """The precision of every operation: in float16 all but the fixed numbers that lead to pixels.

    Coordinates up to 224 have steps of 0.125 px in float16, which is more than faces differ by in places.
    """
    import coremltools as ct  # type: ignore[import-untyped]
    from coremltools.converters.mil.mil.scope import ScopeSource  # type: ignore[import-untyped]

    if precision == "fp32":
        return ct.precision.FLOAT32

    def in_float16(operation: Any) -> bool:
        kinds = operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_TYPE, [])
        return "_Affine" not in kinds

    return ct.transform.FP16ComputePrecision(op_selector=in_float16)


def _converted(
    traced: Any, part: Declaration, precision: str, target: Target, states: Mapping[str, Sequence[int]]
) -> Any:
    with silenced() as said:
        import coremltools as ct
        import numpy as np

        def tensor(declared: Tensor, **options: Any) -> Any:
            return ct.TensorType(name=declared.name, dtype=np.float32, **options)

        try:
            return ct.convert(
                traced,
                convert_to="mlprogram",
                minimum_deployment_target=ct.target[f"iOS{target.ios}"],
                compute_precision=_compute_precision(precision),
                inputs=[tensor(item, shape=_shape(item, part)) for item in part.inputs],
                outputs=[tensor(item) for item in part.outputs],
                states=[
                    ct.StateType(ct.TensorType(shape=tuple(shape), dtype=np.float16), name=name)
                    for name, shape in states.items()
                ],
                skip_model_load=True,
            )
        except Exception as error:  # coremltools raises whatever went wrong inside it
            where = _FAILED_OPERATION.search(said.getvalue())
            place = f" at {where[1]} in {where[2]}" if where else ""
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CheckError(f"{part.name} cannot be converted to Core ML{place}", got=reason) from error


def _check_names(model: Any, part: Declaration) -> None:
    """Raise CheckError where coremltools gave an input or output another name than it was told to."""
    description = model.get_spec().description
    _check_each("input", part.inputs, description.input, part)
    _check_each("output", part.outputs, description.output, part)


def _check_each(side: str, declared: Sequence[Tensor], made: Sequence[Any], part: Declaration) -> None:
    for wanted, found in zip(declared, made, strict=True):
        if wanted.name != found.name:
            raise CheckError(
                f"{part.name} has an {side} of a name that Core ML does not take",
                got=wanted.name,
                expected=f"another, for instance {found.name}",
            )


def _traced_shape(declared: Tensor, part: Declaration) -> list[int]:
    return [size if isinstance(size, int) else _least(part) for size in declared.shape]


def _shape(declared: Tensor, part: Declaration) -> Any:
    """The shape as coremltools takes it, an axis of any size as the range that Core ML is told."""
    import coremltools as ct

    def axis(size: int | str) -> Any:
        if isinstance(size, int):
            return size
        default = max(_least(part), CLIP_FRAMES)
        return ct.RangeDim(_least(part), max(default, MAXIMUM_FRAMES), default=default)

    return ct.Shape(tuple(axis(size) for size in declared.shape))


def _least(part: Declaration) -> int:
    return part.minimum_frames or 1


def package_files(model: Any) -> Files:
    """The files of a package, without what changes from one conversion to the next: a date, random names."""
    specification = model.get_spec()
    specification.description.metadata.userDefined.pop(_DATE, None)
    weights = Path(model.weights_dir) / Path(WEIGHTS).name
    files = {MODEL: specification.SerializeToString(deterministic=True)}
    files |= {WEIGHTS: weights.read_bytes()} if weights.is_file() else {}
    return {**files, MANIFEST: _manifest(files)}


def label(files: Files, about: About) -> Files:
    """Write into a package what it is: Xcode shows it, and apps can read it.

    Parameters
    ----------
    files
        Of the package.
    about
        What is written.
    """
    model = _model(files)
    metadata = model.description.metadata
    metadata.author, metadata.license = about.author, about.licence
    metadata.shortDescription = about.description
    metadata.userDefined.update(about.metadata)
    return {**files, MODEL: model.SerializeToString(deterministic=True)}


def operators(files: Files) -> Mapping[str, int]:
    """Count the operations of a package by kind, constants left out, the most frequent first."""
    program = _model(files).mlProgram
    blocks = [
        block for function in program.functions.values() for block in function.block_specializations.values()
    ]
    kinds = Counter(operation.type for block in blocks for operation in block.operations)
    del kinds["const"]
    return dict(kinds.most_common())


def _model(files: Files) -> Any:
    with silenced():
        from coremltools import proto

    return proto.Model_pb2.Model.FromString(files[MODEL])


def intermediates(files: Files, inputs: Mapping[str, Any]) -> Iterator[Intermediate]:
    """Compute a package in the evaluator and yield every value on the way."""
    from voxtoon.engines.coreml import CoreMLSession, load

    session = load(files, precision="fp32", threads=None)
    assert isinstance(session, CoreMLSession)  # what that engine makes
    yield from session.model.intermediates(inputs)


def _manifest(files: Files) -> bytes:
    """What Core ML finds the model and its weights by."""
    items = {MODEL: "CoreML Model Specification", WEIGHTS: "CoreML Model Weights"}
    paths = {name: name if name == MODEL else str(Path(name).parent) for name in files}
    identifiers = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, path)) for name, path in paths.items()}
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            identifiers[name]: {
                "author": "com.apple.CoreML",
                "description": items[name],
                "name": Path(path).name,
                "path": path.removeprefix("Data/"),
            }
            for name, path in paths.items()
        },
        "rootModelIdentifier": identifiers[MODEL],
    }
    return json.dumps(manifest, indent=4).encode()


FORMAT: Final = Format(
    name="coreml",
    extension=".mlpackage",
    engine="coreml",
    tolerances={"fp32": Tolerance(max_abs_relative=1e-5), "fp16": Tolerance(psnr_db=60.0)},
    minimum_runtime=IOS_17.minimum_runtime,
    lower=lower,
    label=label,
    operators=operators,
    intermediates=intermediates,
    channel_first=True,
)
