"""What the converters make of the same parts when they are called plainly, beside what this project makes.

``python -m benchmarks.converters [--rounds N] [--threads T] [--onnx2tf COMMAND] [--write docs/export.md]``

torch.onnx, litert-torch and coremltools with their defaults, and onnx2tf where its command is named
(`benchmarks.onnx2tf` installs it in an environment of its own). ONNX and LiteRT run in one process, by turns,
on the same input, with the same number of threads; the least time of all rounds counts, and ``--rounds 0``
takes none, on a machine too busy to time anything. Core ML packages are computed by the evaluator, which
tells how true they are and nothing of speed. Weights are random, but every batch norm has seen the sample
voice.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.onnx2tf import FLOAT, converted
from benchmarks.onnx_export import lively_network
from benchmarks.page import markdown, tell
from voxtoon.agreement import compare
from voxtoon.engines.coreml import load as load_coreml
from voxtoon.engines.onnx import load as load_onnx
from voxtoon_export.converter_noise import silenced
from voxtoon_export.lowering import Content, coreml, format_named
from voxtoon_export.network import Layered, Network
from voxtoon_export.parity import Arrays, torch_outputs
from voxtoon_export.systems import variant

REFERENCE: Final = "**voxtoon**, ONNX"
PARTS: Final = ("encoder", "decoder")
START, END = "<!-- measured converters -->", "<!-- end of measured converters -->"
HEADER: Final = ("part", "made by", "ms", "to the first", "bytes", "operators", "transposes", "of scale")

Run = Callable[[Arrays], Sequence[Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of file: how to load one with a number of threads, and what operators it holds.

    Parameters
    ----------
    load
        Any file of the kind, whoever made it and whatever its inputs are called.
    operators
        How many of each kind of operator.
    is_timed
        Whether it runs as it would on a device.
    """

    load: Callable[[Any, int], Run]
    operators: Callable[[Any], Mapping[str, int]]
    is_timed: bool = True


@dataclass(frozen=True)
class Peer:
    """A lowered part, and by whom."""

    name: str
    kind: Kind
    content: Content

    @property
    def bytes(self) -> int:
        """Of the file, or of all files of a package."""
        return len(self.content) if isinstance(self.content, bytes) else sum(map(len, self.content.values()))


def onnxruntime(content: bytes, threads: int) -> Run:
    """Load an ONNX file of one input as the project's runtime does."""
    session = load_onnx(content, precision="fp32", threads=threads)
    names = list(session.input_types)
    return lambda inputs: list(session.run(dict(zip(names, inputs.values(), strict=True))).values())


def litert(content: bytes, threads: int) -> Run:
    """Load a TFLite file of one input, with or without a signature, channel last or channel first."""
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


def evaluator(content: Mapping[str, bytes], threads: int) -> Run:
    """Load a Core ML package of one input into the evaluator."""
    session = load_coreml(content, precision="fp32", threads=threads)
    names = list(session.input_types)
    return lambda inputs: list(session.run(dict(zip(names, inputs.values(), strict=True))).values())


def onnx_operators(content: bytes) -> Mapping[str, int]:
    """Count the nodes of an ONNX file."""
    import onnx

    return Counter(node.op_type for node in onnx.load_from_string(content).graph.node)


def litert_operators(content: bytes) -> Mapping[str, int]:
    """Count the operators of a TFLite file as its interpreter lists them."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain_kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=plain_kernels)
    return Counter(operator["op_name"] for operator in interpreter._get_ops_details())


ONNX: Final = Kind(onnxruntime, onnx_operators)
LITERT: Final = Kind(litert, litert_operators)
COREML: Final = Kind(evaluator, coreml.operators, is_timed=False)


def ours(network: Network) -> list[Peer]:
    """Return a part as this project lowers it, in every format."""
    made = []
    for name, title, kind in (
        ("onnx", "ONNX", ONNX),
        ("litert", "LiteRT", LITERT),
        ("coreml", "Core ML", COREML),
    ):
        lowered = format_named(name).lower(network, network.spec, ["fp32", "fp16"])
        for precision, content in lowered.items():
            suffix = "" if precision == "fp32" else f" {precision}"
            made.append(Peer(f"**voxtoon**, {title}{suffix}", kind, content))
    return made


def plain(network: Network, inputs: Arrays) -> Mapping[str, tuple[Kind, Callable[[], Content]]]:
    """Return what lowers a part by each converter's plain call."""
    import torch

    sample = tuple(torch.from_numpy(value) for value in inputs.values())
    return {
        "torch.onnx, defaults": (ONNX, lambda: by_torch_onnx(network, sample)),
        "litert-torch, defaults": (LITERT, lambda: by_litert_torch(network, sample)),
        "coremltools, defaults": (COREML, lambda: by_coremltools(network, sample)),
    }


def by_torch_onnx(network: Layered, sample: tuple[Any, ...]) -> bytes:
    """What ``torch.onnx.export(module, sample, path)`` gives, its weights in the file."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part.onnx")
        torch.onnx.export(network, sample, str(path), external_data=False, verbose=False)
        return path.read_bytes()


def by_litert_torch(network: Network, sample: tuple[Any, ...]) -> bytes:
    """What ``litert_torch.convert(module, sample)`` gives."""
    import litert_torch  # type: ignore[import-untyped]

    content: bytes = litert_torch.convert(network, sample).model_content()
    return content


def by_coremltools(network: Network, sample: tuple[Any, ...]) -> Content:
    """What ``coremltools.convert(traced, inputs=...)`` gives: a program in float16."""
    import coremltools  # type: ignore[import-untyped]
    import torch

    traced = torch.jit.trace(network, sample, check_trace=False)  # type: ignore[no-untyped-call]
    shapes = [coremltools.TensorType(shape=tuple(value.shape)) for value in sample]
    return coreml.package_files(coremltools.convert(traced, inputs=shapes, skip_model_load=True))


def by_onnx2tf(command: str, model: bytes, inputs: Arrays) -> bytes:
    """What onnx2tf makes of our ONNX file at this size."""
    return converted(command, model, [inputs])[FLOAT]


def parity(expected: Sequence[Any], found: Sequence[Any]) -> float:
    """Return the worst error in shares of an output's scale; outputs are matched by their shapes."""
    by_shape = {np.squeeze(array).shape: np.squeeze(array) for array in found}
    pairs = [(np.squeeze(array), by_shape[np.squeeze(array).shape]) for array in expected]
    return max(compare(array, got, what="output").max_abs_relative for array, got in pairs)


def peers(network: Network, inputs: Arrays, onnx2tf: str | None) -> tuple[list[Peer], list[tuple[str, str]]]:
    """Return a part as each makes it, ours in ONNX first, and who could not and why."""
    made, failed = ours(network), []
    others = dict(plain(network, inputs))
    if onnx2tf is not None:
        reference = made[0].content
        assert isinstance(reference, bytes)  # an ONNX file
        others["onnx2tf"] = (LITERT, lambda: by_onnx2tf(onnx2tf, reference, inputs))
    for name, (kind, lower) in others.items():
        try:
            peer = Peer(name, kind, lower())
            peer.kind.load(peer.content, 1)(inputs)
            made.append(peer)
        except Exception as error:  # whatever it is that a peer cannot do
            lines = str(error).strip().splitlines() or [type(error).__name__]
            failed.append((name, lines[0].rpartition("error: ")[2][:60]))
    return made, failed


def least_ms(runs: Mapping[str, Run], inputs: Arrays, *, rounds: int) -> dict[str, float]:
    """Run all by turns, and return the least time of each."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(inputs)
            best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
    return best


def rows(
    name: str, part: str, *, threads: int, rounds: int, onnx2tf: str | None
) -> Iterator[tuple[str, ...]]:
    """Make a part in all ways, and yield a row for each."""
    network, inputs = lively_network(name, part)
    expected = list(torch_outputs(network, network.spec, inputs).values())
    with silenced():
        made, failed = peers(network, inputs, onnx2tf)
        runs = {peer.name: peer.kind.load(peer.content, threads) for peer in made}
        errors = {peer.name: parity(expected, runs[peer.name](inputs)) for peer in made}
        timed = {peer.name: runs[peer.name] for peer in made if peer.kind.is_timed and rounds}
        best = least_ms(timed, inputs, rounds=rounds)
        counted = {peer.name: peer.kind.operators(peer.content) for peer in made}
    for peer in made:
        kinds = counted[peer.name]
        transposes = sum(count for kind, count in kinds.items() if kind.lower() == "transpose")
        times = ("", "")
        if peer.name in best:
            times = (f"{best[peer.name]:.2f}", f"{best[peer.name] / best[REFERENCE]:.2f}")
        figures = (f"{peer.bytes:,}", str(sum(kinds.values())), str(transposes), f"{errors[peer.name]:.1e}")
        yield (part, peer.name, *times, *figures)
    for peer_name, reason in failed:
        yield (part, peer_name, f"fails: {reason}", "", "", "", "", "")


def sections(arguments: argparse.Namespace) -> Iterator[str]:
    """The table, and what it is of, in Markdown."""
    name, threads = arguments.variant, arguments.threads
    seconds = variant(name).front_end.clip_samples / 16_000
    timing = f"best of {arguments.rounds} by turns" if arguments.rounds else "not timed"
    yield (
        f"`{name}`, {seconds:g} s of sound, {threads} thread{'s' if threads > 1 else ''}, "
        f"{timing}; {', '.join(versions())}."
    )
    options = {"threads": threads, "rounds": arguments.rounds, "onnx2tf": arguments.onnx2tf}
    yield markdown([HEADER, *(row for part in PARTS for row in rows(name, part, **options))])


def versions() -> list[str]:
    """The converters and engines, as they are installed."""
    from importlib.metadata import version

    names = ("torch", "onnxruntime", "litert-torch", "ai-edge-litert", "coremltools")
    return [f"{name} {version(name).partition('+')[0]}" for name in names]


def main() -> None:
    """Measure and print, and put the table into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variant", default="speech2face-mel-w4")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--onnx2tf", metavar="COMMAND", help="what `python -m benchmarks.onnx2tf` prints")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    tell(sections(arguments := parser.parse_args()), arguments.write, start=START, end=END)


if __name__ == "__main__":
    main()
