"""LiteRT against ONNX Runtime, and our lowering against what others make of the same parts.

``python -m benchmarks.litert [--variant V] [--rounds N] [--threads T ...] [--onnx2tf COMMAND] [--json F]``

Every part is lowered by this project to ONNX and LiteRT, by litert-torch with its defaults, and by onnx2tf
where its command is named (it needs a Python of its own, 3.12 or later). All run in one process, by turns, on
the same input, with the same number of threads; the least time of all rounds counts. Weights are random, but
every batch norm has seen the sample voice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.onnx_export import lively_network
from voxtoon.agreement import compare
from voxtoon.cli.console import table
from voxtoon.engines.onnx import load as load_onnx
from voxtoon_export.converter_noise import silenced
from voxtoon_export.lowering import litert as litert_lowering
from voxtoon_export.lowering import onnx as onnx_lowering
from voxtoon_export.network import Network
from voxtoon_export.parity import Arrays, torch_outputs
from voxtoon_export.systems import variant

OURS, REFERENCE = "voxtoon litert", "voxtoon onnx"
PARTS = ("encoder", "decoder")

Run = Callable[[Arrays], Sequence[Any]]


@dataclass(frozen=True)
class Peer:
    """A lowered part: what it is called, its bytes, and how to load it with a number of threads."""

    name: str
    content: bytes
    load: Callable[[bytes, int], Run]


@dataclass(frozen=True)
class Result:
    """Of one peer on one part; `ratio` is to ONNX Runtime, `parity` in shares of the scale of an output."""

    part: str
    threads: int | None
    peer: str
    ms: float | None
    ratio: float | None
    bytes: int | None
    operators: int | None
    transposes: int | None
    parity: float | None
    note: str = ""


def onnxruntime(content: bytes, threads: int) -> Run:
    """Load an ONNX file as the project's runtime does."""
    session = load_onnx(content, precision="fp32", threads=threads)
    return lambda inputs: list(session.run(inputs).values())


def litert(content: bytes, threads: int) -> Run:
    """Load any TFLite file of one input, with or without a signature, channel last or channel first."""
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()

    def run(inputs: Arrays) -> list[Any]:
        (value,) = inputs.values()
        interpreter.set_tensor(entry["index"], value)
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

    return run


def peers(network: Network, inputs: Arrays, onnx2tf: str | None) -> tuple[list[Peer], list[tuple[str, str]]]:
    """Return a part as each peer makes it, and which could not and why."""
    part = network.spec
    reference = onnx_lowering.lower(network, part, ["fp32"])["fp32"]
    made = [Peer(REFERENCE, reference, onnxruntime)]
    made += [
        Peer(f"{OURS}{suffix}", content, litert)
        for suffix, content in zip(
            ("", " fp16"), litert_lowering.lower(network, part, ["fp32", "fp16"]).values(), strict=True
        )
    ]
    failed = []
    others: dict[str, Callable[[], bytes]] = {"litert-torch defaults": lambda: plain(network, inputs)}
    if onnx2tf is not None:
        others["onnx2tf"] = lambda: by_onnx2tf(onnx2tf, reference, inputs)
    for name, lower in others.items():
        try:
            peer = Peer(name, lower(), litert)
            peer.load(peer.content, 1)(inputs)
            made.append(peer)
        except Exception as error:  # whatever it is that a peer cannot do
            failed.append((name, str(error).strip().splitlines()[0].rpartition("error: ")[2][:60]))
    return made, failed


def plain(network: Network, inputs: Arrays) -> bytes:
    """What ``litert_torch.convert(module, sample)`` gives."""
    import torch

    with silenced():
        import litert_torch  # type: ignore[import-untyped]

        sample = tuple(torch.from_numpy(value) for value in inputs.values())
        content: bytes = litert_torch.convert(network, sample).model_content()
    return content


def by_onnx2tf(command: str, model: bytes, inputs: Arrays) -> bytes:
    """What onnx2tf makes of our ONNX file at this size; with an open axis LiteRT cannot load it."""
    import onnx

    ((name, value),) = inputs.items()
    fixed = onnx.load_from_string(model)
    for dimension, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, value.shape, strict=True):
        dimension.dim_value = size
    del fixed.graph.value_info[:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.onnx"
        path.write_bytes(onnx.shape_inference.infer_shapes(fixed).SerializeToString())
        keep = ["-kat", name] if value.ndim > 2 else []
        arguments = ["-i", str(path), "-o", folder, *keep, "-n"]
        done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
        found = sorted(Path(folder).glob("*float32.tflite"))
        if not found:
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        return found[0].read_bytes()


def operators(content: bytes) -> Counter[str]:
    """Count the operators of a TFLite file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain_kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain_kernels)
    return Counter(operator["op_name"] for operator in interpreter._get_ops_details())


def parity(expected: Sequence[Any], found: Sequence[Any]) -> float:
    """Return the worst error in shares of an output's scale; outputs are matched by their shapes."""
    by_shape = {np.squeeze(array).shape: np.squeeze(array) for array in found}
    pairs = [(np.squeeze(array), by_shape[np.squeeze(array).shape]) for array in expected]
    return max(compare(array, got, what="output").max_abs_relative for array, got in pairs)


def measure(
    part: str, made: Sequence[Peer], inputs: Arrays, expected: Sequence[Any], *, threads: int, rounds: int
) -> list[Result]:
    """Run all peers by turns."""
    runs = {peer.name: peer.load(peer.content, threads) for peer in made}
    errors = {name: parity(expected, run(inputs)) for name, run in runs.items()}
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(inputs)
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
    results = []
    for peer in made:
        counted = None if peer.name == REFERENCE else operators(peer.content)
        results.append(
            Result(
                part=part,
                threads=threads,
                peer=peer.name,
                ms=best[peer.name],
                ratio=best[peer.name] / best[REFERENCE],
                bytes=len(peer.content),
                operators=None if counted is None else sum(counted.values()),
                transposes=None if counted is None else counted["TRANSPOSE"],
                parity=errors[peer.name],
            )
        )
    return results


def line(result: Result) -> tuple[str, ...]:
    """One result as a row of the table."""

    def cell(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    return (
        result.part,
        cell(result.threads, "d"),
        result.peer,
        cell(result.ms, ".2f"),
        cell(result.ratio, ".2f"),
        cell(result.bytes, ","),
        cell(result.operators, "d"),
        cell(result.transposes, "d"),
        cell(result.parity, ".1e"),
        result.note,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", default="speech2face-mel-w4")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--onnx2tf", metavar="COMMAND", help="for example venv312/bin/onnx2tf")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    results = []
    for part in PARTS:
        network, inputs = lively_network(arguments.variant, part)
        expected = list(torch_outputs(network, network.spec, inputs).values())
        with silenced():
            made, failed = peers(network, inputs, arguments.onnx2tf)
            for threads in arguments.threads:
                results += measure(part, made, inputs, expected, threads=threads, rounds=arguments.rounds)
        for name, reason in failed:
            results.append(Result(part, None, name, None, None, None, None, None, None, f"fails: {reason}"))
    header = ("part", "threads", "peer", "ms", "ratio", "bytes", "operators", "transposes", "of scale", "")
    print(f"{arguments.variant}, {variant(arguments.variant).front_end.clip_samples / 16_000:g} s of sound")
    print(table(header, [line(result) for result in results]))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
