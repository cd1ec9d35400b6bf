"""onnx2tf, which goes from ONNX to TFLite by way of TensorFlow, in an environment of its own.

``python -m benchmarks.onnx2tf FOLDER`` installs it there, some 2 GB, and prints the command that the other
benchmarks take: ``--onnx2tf FOLDER/bin/onnx2tf``. Its releases pin all that they need to exact versions,
which are not ours; pip takes the last that this Python has: 1.29.24 on 3.11.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from voxtoon.errors import InputError
from voxtoon_export.parity import Arrays

FLOAT: Final = "float32"
INTEGERS: Final = ("integer_quant", "dynamic_range_quant")
"""The ends of the names of the files that it makes with integers, and floats for inputs and outputs."""


def install(folder: Path) -> Path:
    """Make the environment, unless it is there, and return the command.

    Raises
    ------
    InputError
        pip cannot install it here.
    """
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    if not (scripts / "onnx2tf").exists():
        venv.create(folder, with_pip=True)
        pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*pip, "--only-binary=:all:", "onnx2tf"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InputError("onnx2tf cannot be installed", got=_last_line(done))
    return scripts / "onnx2tf"


def converted(
    command: str, model: bytes, inputs: Sequence[Arrays], *, integers: bool = False
) -> dict[str, bytes]:
    """Return what it makes of an ONNX file of one input, by the end of a file's name: ``float32`` and others.

    Parameters
    ----------
    inputs
        All of one shape, which the result then has alone: with an open axis LiteRT cannot load it. With
        ``integers`` it calibrates on them.

    Raises
    ------
    RuntimeError
        It makes nothing; its last words.
    """
    import onnx

    ((name, value),) = inputs[0].items()
    fixed = onnx.load_from_string(model)
    for dimension, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, value.shape, strict=True):
        dimension.dim_value = size
    del fixed.graph.value_info[:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        path.write_bytes(onnx.shape_inference.infer_shapes(fixed).SerializeToString())
        options = ["-i", str(path), "-o", folder, "-n"]
        if value.ndim > 2:
            options += ["-kat", name]
        if integers:
            heard = Path(folder) / "heard.npy"
            np.save(heard, np.concatenate([run[name] for run in inputs]))
            options += ["-oiqt", "-cind", name, str(heard), "[0.0]", "[1.0]"]
        done = subprocess.run([command, *options], capture_output=True, text=True, check=False)
        found = {
            file.stem.removeprefix(f"{path.stem}_"): file.read_bytes()
            for file in sorted(Path(folder).glob("*.tflite"))
        }
    if FLOAT not in found or (integers and not set(INTEGERS) <= found.keys()):
        raise RuntimeError(_last_line(done))
    return found


def with_names(content: bytes, inputs: Arrays, outputs: Arrays) -> bytes:
    """Return a TFLite file with a signature that calls its inputs and outputs so, by their shapes."""
    from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

    from voxtoon_export.litert_model import read, shape_of, written

    model = read(content)
    (graph,) = model.subgraphs

    def named(arrays: Arrays, places: Sequence[int]) -> list[Any]:
        by_shape = {_squeezed(shape_of(graph.tensors[place])): place for place in places}
        found = []
        for name, array in arrays.items():
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = name.encode(), by_shape[_squeezed(array.shape)]
            found.append(entry)
        return found

    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    signature.inputs, signature.outputs = named(inputs, graph.inputs), named(outputs, graph.outputs)
    model.signatureDefs = [signature]
    return written(model)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]


def main() -> None:
    """Install it, and print the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    try:
        print(install(parser.parse_args().folder))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
