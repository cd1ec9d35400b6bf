"""Ways to write a part as ONNX: exporter, opset, simplification, and where float16 goes.

``python -m benchmarks.onnx_export [--variant V] [--runs N]``

The first table is what `voxtoon_export.lowering.onnx` chooses from, the second what
`voxtoon_export.onnx_graph.with_float16_weights` does. Weights are random, but every batch norm has seen the
sample voice: it makes a difference to the last layer, and rounding errors show as in a trained network.
onnxsim, onnxslim and onnxconverter-common take part where they are installed.
"""

from __future__ import annotations

import argparse
import copy
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from voxtoon.agreement import compare
from voxtoon.engines.onnx import load
from voxtoon.golden import frames_of
from voxtoon_export import onnx_graph
from voxtoon_export.golden import sample_voice
from voxtoon_export.lowering.onnx import OPSET, exported_model
from voxtoon_export.parity import Arrays, torch_outputs
from voxtoon_export.systems import variant

if TYPE_CHECKING:
    import onnx

    from voxtoon_export.network import Network

OPSETS = range(17, 22)
SIMPLIFIERS = ("onnxsim", "onnxslim")
FLOAT32_SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)

Way = tuple[str, Callable[[], "onnx.ModelProto"]]


def lively_network(name: str, part: str) -> tuple[Network, Arrays]:
    """Return a part with random weights whose batch norms fit the sample voice, and an input for it."""
    import torch

    from voxtoon_export.network import build

    torch.manual_seed(0)
    chosen = variant(name)
    network = build(chosen.parts[part])
    spec = network.spec.input
    if spec.name == "frames":
        value = torch.from_numpy(frames_of(sample_voice().samples, chosen.front_end))
    else:
        value = torch.randn([size if isinstance(size, int) else 1 for size in spec.shape])
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():  # copies with some noise, so that what is averaged over time varies as well
        network.train()(value + 0.1 * torch.randn((4, *value.shape[1:])))
    return network.eval(), {spec.name: value.numpy()}


def measure(
    model: onnx.ModelProto, inputs: Arrays, expected: Mapping[str, Any], runs: int
) -> dict[str, float]:
    """Return bytes, nodes, milliseconds to load and to run on one thread (best of ``runs``), and parity."""
    content = model.SerializeToString()
    start = time.perf_counter()
    session = load(content, precision="fp32", threads=1)
    load_s = time.perf_counter() - start
    outputs = session.run(inputs)
    times_s = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(inputs)
        times_s.append(time.perf_counter() - start)
    found = [compare(expected[name], outputs[name], what=name) for name in expected]
    return {
        "bytes": len(content),
        "nodes": len(model.graph.node),
        "load ms": 1e3 * load_s,
        "run ms": 1e3 * min(times_s),
        "of scale": max(item.max_abs_relative for item in found),
        "PSNR dB": min(item.psnr_db for item in found),
    }


def torchscript_model(network: Network, *, opset: int) -> onnx.ModelProto:
    """Export with torch's older exporter."""
    import onnx
    import torch

    spec = network.spec
    shape = [spec.minimum_frames if isinstance(size, str) else size for size in spec.input.shape]
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            file.name,
            dynamo=False,
            opset_version=opset,
            input_names=[spec.input.name],
            output_names=[output.name for output in spec.outputs],
            dynamic_axes={spec.input.name: {1: "time"}} if spec.has_time else None,
        )
        return onnx.load(file.name)


def simplified_model(network: Network, *, simplifier: str) -> onnx.ModelProto:
    """Export as the project does, then let a simplifier work on it."""
    model = exported_model(network, network.spec, opset=OPSET)
    module = import_module(simplifier)
    found: onnx.ModelProto = module.simplify(model)[0] if simplifier == "onnxsim" else module.slim(model)
    return found


def converted_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute in float16 throughout, by the usual converter."""
    converter = import_module("onnxconverter_common.float16")
    found: onnx.ModelProto = converter.convert_float_to_float16(model, keep_io_types=True)
    return found


def ways_to_export(network: Network) -> Iterator[Way]:
    """Yield every exporter and opset, and the simplifiers on top of what is chosen."""
    for opset in OPSETS:
        yield f"torchscript, opset {opset}", partial(torchscript_model, network, opset=opset)
    for opset in OPSETS:
        yield f"dynamo, opset {opset}", partial(exported_model, network, network.spec, opset=opset)
    for name in (name for name in SIMPLIFIERS if find_spec(name)):
        yield f"dynamo, opset {OPSET}, {name}", partial(simplified_model, network, simplifier=name)


def ways_to_float16(model: onnx.ModelProto) -> Iterator[Way]:
    """Yield float32, float16 throughout, and float16 weights with more and more values left in float32."""
    yield "float32", partial(copy.copy, model)
    if find_spec("onnxconverter_common"):
        yield "float16 computed", partial(converted_model, model)
    for share in FLOAT32_SHARES:
        yield (
            f"float16 weights but {share:.0%}",
            partial(onnx_graph.with_float16_weights, model, float32_share=share),
        )


def print_table(
    title: str, ways: Iterable[Way], inputs: Arrays, expected: Mapping[str, Any], runs: int
) -> None:
    """Measure and print one row for each way; a way that does not work says why."""
    print(f"\n{title}")
    print(f"{'':34} {'bytes':>11} {'nodes':>5} {'load ms':>8} {'run ms':>8} {'of scale':>9} {'PSNR dB':>8}")
    for name, make in ways:
        try:
            found = measure(make(), inputs, expected, runs)
        except Exception as error:
            print(f"{name:34} {type(error).__name__}: {str(error).splitlines()[0][:60]}")
            continue
        cost = f"{found['bytes']:11,} {found['nodes']:5} {found['load ms']:8.1f} {found['run ms']:8.2f}"
        print(f"{name:34} {cost} {found['of scale']:9.1e} {found['PSNR dB']:8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", default="speech2face-mel-w4")
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    for part in ("encoder", "decoder"):
        network, inputs = lively_network(arguments.variant, part)
        expected = torch_outputs(network, network.spec, inputs)
        title = f"{part} of {arguments.variant}"
        print_table(title, ways_to_export(network), inputs, expected, arguments.runs)
        model = exported_model(network, network.spec, opset=OPSET)
        print_table(f"{title}, float16", ways_to_float16(model), inputs, expected, arguments.runs)


if __name__ == "__main__":
    main()
