"""A Core ML model, computed without Core ML: an evaluator for ``.mlpackage`` files that runs anywhere.

Core ML runs on Apple's systems only, so whoever converts a model on Linux or in continuous integration ships
what nobody has run. This package reads the file that was saved, not the converter's objects in memory, and
computes its program operation by operation with NumPy. torch is not needed: what it is compared with shares
no code with it. ::

    from voxtoon_export.coreml_reference import load

    model = load("encoder.fp32.mlpackage")
    feature = model.predict({"frames": frames})["feature"]

    for kind, name, value in model.intermediates({"frames": frames}):
        ...  # every value on the way, in order; `first_difference` compares them with a reference's

    state = model.make_state()  # a stateful model (iOS 18) reads and writes this
    model.predict({"frames": frames}, state)

What it stands for
    Float32 programs in float32. In float16 programs every operation takes float16 values, computes in
    float32, and rounds its result to float16 once: the arithmetic of the model language, without the
    accuracy that a chip may lose or keep inside an operation. Values that overflow become infinite.
    Compressed weights (affine, palettised, block-wise, sparse; iOS 16 to 18) are unpacked when loaded.

What it refuses
    An operation, or a parameter of one, that it does not know, by kind and output, when the model is loaded;
    control flow; inputs of a shape outside what the model declares; a result of another shape than the file
    declares. Nothing is skipped and nothing is guessed.

What it does not tell
    Speed, and which of a device's processors would run what.

``operations`` has one module per family; a new operation is one function in its family's table.
"""

from __future__ import annotations

from voxtoon_export.first_difference import Difference, Intermediate, first_difference

from .model import ReferenceModel, State, load
from .operations import OPERATIONS
from .program import Feature

__all__ = [
    "OPERATIONS",
    "Difference",
    "Feature",
    "Intermediate",
    "ReferenceModel",
    "State",
    "first_difference",
    "load",
]
