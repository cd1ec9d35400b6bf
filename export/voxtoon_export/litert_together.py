"""LiteRT artefacts of a bundle as one file with a signature for each part, for who wants one file.

Nothing is converted anew: tables are put side by side and numbered again, so that a file of any precision
will do. What parts have in common to the bit, an encoder and its step for one, is in it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.atomic_file import write_atomically
from voxtoon.bundle import open_bundle
from voxtoon.errors import CheckError
from voxtoon_export.android_assets import chosen_artefact
from voxtoon_export.litert_model import kind, read, written

SEED: Final = 0
_CALLS_OTHER_GRAPHS: Final = frozenset({"CALL", "CALL_ONCE", "IF", "WHILE"})


@dataclass(frozen=True)
class Together:
    """What was written.

    Attributes
    ----------
    path
        The file.
    size_bytes
        Its size.
    apart_bytes
        Signature to the size of the part's own file.
    """

    path: Path
    size_bytes: int
    apart_bytes: Mapping[str, int]


def write_together(bundle_path: Path, output: Path) -> Together:
    """Write the parts of a bundle that a device runs as one LiteRT file, as precise as ``auto`` takes them.

    Every signature has to give the very bits that the part's own file gives, else nothing is written.

    Raises
    ------
    InputError
        A part of the bundle has no LiteRT artefact.
    CheckError
        The bundle is damaged, a part calls other graphs, or a signature computes something else.
    """
    with open_bundle(bundle_path) as bundle:
        manifest = bundle.manifest
        parts = [part.name for part in manifest.parts if part.role == "runtime"]
        contents = {
            part: bundle.read(chosen_artefact(manifest, part, "litert").file)
            for part in parts
            if manifest.artefacts_of(part)  # an encoder may be there as step and head alone
        }
    content = together(contents)
    for part, alone in contents.items():
        _check_same(part, alone=alone, together=content)
    write_atomically({output: content})
    return Together(output, len(content), {part: len(alone) for part, alone in contents.items()})


def together(contents: Mapping[str, bytes]) -> bytes:
    """Return one file of several that have one graph each; the signatures keep their names.

    Raises
    ------
    CheckError
        A part has no graph of its own, or several.
    """
    models = {part: read(content) for part, content in contents.items()}
    first, *others = models.values()
    for part, model in models.items():
        _check_alone(part, model)
    known: dict[bytes, int] = {}
    _share_buffers(first, first, known)
    for model in others:
        _share_buffers(first, model, known)
        codes = [_number(first.operatorCodes, code) for code in model.operatorCodes]
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        for operator in graph.operators:
            operator.opcodeIndex = codes[operator.opcodeIndex]
        signature.subgraphIndex = len(first.subgraphs)
        first.subgraphs.append(graph)
        first.signatureDefs.append(signature)
    for part, graph in zip(models, first.subgraphs, strict=True):
        graph.name = part.encode()
    first.metadata, first.metadataBuffer = [], []  # of the first part alone
    return written(first)


def _check_alone(part: str, model: Any) -> None:
    graphs, signatures = len(model.subgraphs), len(model.signatureDefs)
    calls = {kind(model, operator) for graph in model.subgraphs for operator in graph.operators}
    if (graphs, signatures) != (1, 1) or calls & _CALLS_OTHER_GRAPHS:
        raise CheckError(
            f"{part} cannot share a file",
            got=f"{graphs} graphs, {signatures} signatures",
            expected="one each",
        )


def _share_buffers(target: Any, model: Any, known: dict[bytes, int]) -> None:
    """Move what the tensors of a model hold into the target's buffers, equal ones into one."""
    taken = model.buffers
    if target is model:
        target.buffers = [taken[0]]  # the first is empty by convention: a tensor without values names it
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = taken[tensor.buffer].data
            if data is None or not len(data):
                tensor.buffer = 0
                continue
            digest = hashlib.sha256(np.asarray(data, np.uint8).tobytes()).digest()
            if digest not in known:
                known[digest] = len(target.buffers)
                target.buffers.append(taken[tensor.buffer])
            tensor.buffer = known[digest]


def _number(codes: list[Any], wanted: Any) -> int:
    """Return the place of an operator's kind and version among those of the target, added where it is new."""
    for number, code in enumerate(codes):
        if vars(code) == vars(wanted):
            return number
    codes.append(wanted)
    return len(codes) - 1


def _check_same(part: str, *, alone: bytes, together: bytes) -> None:
    expected, found = (_outputs(content, part) for content in (alone, together))
    for name, array in expected.items():
        if not np.array_equal(array, found[name]):
            raise CheckError(
                f"{part} computes something else in a file with others",
                got=f"another {name}",
                expected="the same",
            )


def _outputs(content: bytes, signature: str) -> dict[str, NDArray[Any]]:
    """Run a signature on noise."""
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    from voxtoon.native_noise import native_stderr_silenced

    noise = np.random.default_rng(SEED)
    with native_stderr_silenced():
        interpreter = Interpreter(model_content=content, num_threads=1)
        runner = interpreter.get_signature_runner(signature)
        inputs = {
            name: noise.standard_normal(detail["shape"]).astype(detail["dtype"])
            for name, detail in sorted(runner.get_input_details().items())
        }
        found: dict[str, NDArray[Any]] = runner(**inputs)
    return found
