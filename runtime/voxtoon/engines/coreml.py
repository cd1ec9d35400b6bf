"""Core ML artefacts, to check them anywhere: by the reference evaluator, on the processor, in NumPy.

It is no engine for a device, where Core ML itself runs them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from voxtoon.engines import Arrays, DType, EngineSpec, Session
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon_export.coreml_reference import ReferenceModel


@dataclass(frozen=True)
class CoreMLSession:
    """An artefact in the evaluator."""

    model: ReferenceModel
    precision: str
    engine: str = "coreml"

    @property
    def input_types(self) -> dict[str, DType]:
        """What the elements of each input are."""
        return {item.name: item.dtype for item in self.model.inputs}

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Evaluate the part once."""
        return self.model.predict(inputs)


def load(model: Mapping[str, bytes], *, precision: str, threads: int | None) -> Session:
    """Load the files of an ``.mlpackage``; NumPy decides on the threads. Raises as `loaded_package` does."""
    return CoreMLSession(loaded_package(model), precision)


def loaded_package(model: Mapping[str, bytes]) -> ReferenceModel:
    """Make the files of an ``.mlpackage`` ready to be evaluated.

    Raises
    ------
    InputError
        When voxtoon_export or coremltools is not installed.
    CheckError
        When the package is damaged, or holds something that the evaluator does not know.
    """
    try:
        from voxtoon_export.coreml_reference import load as load_package
    except ImportError as error:
        raise InputError(
            "checking Core ML is not installed", got=error, hint="pip install 'voxtoon[export]'"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        for name, content in model.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return load_package(folder)


ENGINE = EngineSpec(
    name="coreml",
    format="coreml",
    package="coremltools",
    module="coremltools",
    load=load,
    takes_folders=True,
    automatic=False,
)
