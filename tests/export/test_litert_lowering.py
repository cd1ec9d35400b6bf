"""What the LiteRT lowering promises of every part, shown on a small checkpoint."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from voxtoon.agreement import compare
from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError, InputError
from voxtoon_export.lowering import format_named
from voxtoon_export.parity import torch_outputs

pytest.importorskip("litert_torch", reason="lowering to LiteRT needs voxtoon[export]")

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("encoder", "decoder", "face_encoder")


@pytest.fixture(scope="module")
def lowered(tiny_checkpoint):
    """Part name to precision to the bytes of a TFLite file."""
    return {
        name: format_named("litert").lower(tiny_checkpoint.network(name), part, ["fp32", "fp16"])
        for name, part in tiny_checkpoint.variant.parts.items()
    }


def load(content):
    return ENGINES["litert"].load(content, precision="fp32", threads=1)


def interpreter(content):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=content, experimental_op_resolver_type=plain)


def operators(content):
    return Counter(operator["op_name"] for operator in interpreter(content)._get_ops_details())


def inputs_of(part, frames=598):
    generator = np.random.default_rng(0)
    shape = [frames if isinstance(size, str) else size for size in part.input.shape]
    return {part.input.name: generator.normal(size=shape).astype(np.float32)}


@pytest.mark.parametrize("name", PARTS)
def test_every_output_is_that_of_torch(lowered, tiny_checkpoint, name):
    part = tiny_checkpoint.variant.parts[name]
    inputs = inputs_of(part)
    expected = torch_outputs(tiny_checkpoint.network(name), part, inputs)

    found = load(lowered[name]["fp32"]).run(inputs)
    light = load(lowered[name]["fp16"]).run(inputs)
    assert list(expected) == list(found.keys() & expected.keys()) or found.keys() == expected.keys()
    for output, array in expected.items():
        assert compare(array, found[output], what=output).max_abs_relative < 1e-5
        assert compare(array, light[output], what=output).psnr_db > 60
