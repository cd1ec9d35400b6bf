"""Core ML packages as programs that can be changed: opened, passed over, and packaged again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from voxtoon.errors import CheckError
from voxtoon_export.converter_noise import silenced
from voxtoon_export.lowering.coreml import MODEL, package_files

Files = Mapping[str, bytes]

WEIGHT: Final = "_weight"
WEIGHTED: Final = ("conv", "conv_transpose", "linear")
"""The kinds of operations that multiply with weights, in their input ``weight``."""
IOS_17, IOS_18 = 8, 9
"""Versions of the format, by the system that brought them; ours are for the first."""


def changed(files: Files, passes: Sequence[Any], *, version: int = IOS_17) -> Files:
    """Return the package of the program that passes leave.

    Parameters
    ----------
    passes
        Of coremltools, or made by `graph_pass`, applied in order.
    version
        Of the format, if that of the package is lower.

    Raises
    ------
    CheckError
        coremltools refused: its words.
    """
    with silenced(), _opened(files) as model:
        from coremltools.models import utils  # type: ignore[import-untyped]

        try:
            # Not by its public functions, of which each is one pass, and writes and reads all weights anew.
            made = utils._apply_graph_pass(model, list(passes), spec_version=version, skip_model_load=True)
        except (ValueError, RuntimeError, KeyError, TypeError, AssertionError, NotImplementedError) as error:
            raise CheckError("coremltools refused the recipe", got=error) from error
        return package_files(made)


def graph_pass(change: Callable[[Any], None]) -> Any:
    """Return a pass of coremltools that changes the block of each function of a program."""
    with silenced():
        from coremltools.converters.mil.mil.passes.graph_pass import (  # type: ignore[import-untyped]
            AbstractGraphPass,
        )
        from coremltools.converters.mil.mil.passes.helper import (  # type: ignore[import-untyped]
            block_context_manager,
        )

    class Pass(AbstractGraphPass):  # type: ignore[misc]
        def apply(self, prog: Any) -> None:
            for function in prog.functions.values():
                block_context_manager(change)(function)

    return Pass()


def in_float16() -> Any:
    """Return the pass that has a program compute in float16, but for what turns landmarks into pixels.

    Apple's Neural Engine computes in nothing wider. Pixels up to 224 have steps of 0.125 in it.
    """
    with silenced():
        from coremltools.converters.mil.mil.passes.defs.quantization import (  # type: ignore[import-untyped]
            FP16ComputePrecision,
        )
    return FP16ComputePrecision(op_selector=lambda operation: operation.op_type not in ("mul", "add"))


def registered(name: str, **options: Any) -> Any:
    """Return one of coremltools' own passes with these options."""
    from coremltools.converters.mil.mil.passes.pass_pipeline import (  # type: ignore[import-untyped]
        PassOption,
    )
    from coremltools.converters.mil.mil.passes.pass_registry import (  # type: ignore[import-untyped]
        PASS_REGISTRY,
    )

    found = PASS_REGISTRY[name]
    found.set_options([PassOption(option, value) for option, value in options.items()])
    return found


def operations(files: Files) -> list[Any]:
    """Return the operations of a package's program in order, constants included."""
    with silenced(), _opened(files) as model:
        from coremltools.converters.mil.frontend.milproto.load import (  # type: ignore[import-untyped]
            load,
        )

        specification = model.get_spec()
        program = load(specification, specification.specificationVersion, model.weights_dir)
        (function,) = program.functions.values()
        return list(function.operations)


def version_of(files: Files) -> int:
    """Return the version of the format that a package is in."""
    with silenced():
        from coremltools import proto  # type: ignore[import-untyped]

    model = proto.Model_pb2.Model.FromString(files[MODEL])
    return int(model.specificationVersion)


def layer_of(weight: Any) -> str:
    """Return the declared name of the layer that weights belong to; empty where they bear none."""
    name: str = weight.name
    before, found, _ = name.rpartition(WEIGHT)
    return before if found else ""


def only_reader(variable: Any) -> Any | None:
    """Return the operation that reads a value; None where several do, or the outside does."""
    readers = variable.child_ops
    is_output = any(variable is item for item in readers[0].enclosing_block.outputs) if readers else True
    return readers[0] if len(readers) == 1 and not is_output else None


@contextmanager
def _opened(files: Files) -> Iterator[Any]:
    import coremltools as ct

    with tempfile.TemporaryDirectory(suffix=".mlpackage") as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield ct.models.MLModel(folder, skip_model_load=True)
