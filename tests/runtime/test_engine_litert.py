"""The LiteRT engine: equal to the other through the same few methods."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from voxtoon import CheckError, InputError
from voxtoon.engines import ENGINES

pytest.importorskip("ai_edge_litert", reason="LiteRT comes with voxtoon[litert]")

from ai_edge_litert import schema_py_generated as schema


def model(*signatures):
    """A TFLite file that squares ``frames`` [1, 4, 2] and gives it as ``feature``, with these signatures."""
    import flatbuffers

    made = schema.ModelT()
    made.version = 3
    made.buffers = [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SQUARE
    made.operatorCodes = [code]
    made.subgraphs = [_square() for _ in signatures or [None]]
    made.signatureDefs = [_signature(name, number) for number, name in enumerate(signatures)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _square():
    graph = schema.SubGraphT()
    graph.tensors = []
    for name in ("in", "out"):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [1, 4, 2], 0
        graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    operator.builtinOptionsType = schema.BuiltinOptions.SquareOptions
    operator.builtinOptions = schema.SquareOptionsT()
    graph.inputs, graph.outputs, graph.operators = [0], [1], [operator]
    return graph


def _signature(name, number):
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = name, number
    for attribute, tensor, index in (("inputs", "frames", 0), ("outputs", "feature", 1)):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = tensor, index
        setattr(signature, attribute, [entry])
    return signature


def load(content, **options):
    return ENGINES["litert"].load(content, **{"precision": "fp32", "threads": 1, **options})


def frames(count=4, seed=0):
    return np.random.default_rng(seed).normal(size=(1, count, 2)).astype(np.float32)


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_a_session_maps_names_to_arrays(threads):
    session = load(model("encoder"), threads=threads)
    outputs = session.run({"frames": frames()})

    assert (session.engine, session.precision) == ("litert", "fp32")
    assert list(outputs) == ["feature"]
    np.testing.assert_allclose(outputs["feature"], frames() ** 2, rtol=1e-6)


def test_an_input_of_another_length_is_taken_and_the_first_again():
    session = load(model("encoder"))
    for count in (4, 9, 1, 4):
        found = session.run({"frames": frames(count)})["feature"]
        np.testing.assert_allclose(found, frames(count) ** 2, rtol=1e-6)


def test_what_was_given_is_not_changed_by_the_next_run():
    session = load(model("encoder"))
    first = session.run({"frames": frames()})["feature"]
    session.run({"frames": frames(seed=1)})
    np.testing.assert_allclose(first, frames() ** 2, rtol=1e-6)


def test_an_array_need_not_be_contiguous():
    transposed = np.ascontiguousarray(frames().transpose(0, 2, 1)).transpose(0, 2, 1)
    assert not transposed.flags.c_contiguous
    found = load(model("encoder")).run({"frames": transposed})["feature"]
    np.testing.assert_allclose(found, frames() ** 2, rtol=1e-6)


def test_threads_may_share_a_session():
    session = load(model("encoder"))

    def right(seed):
        value = frames(2 + seed % 5, seed)
        return np.allclose(session.run({"frames": value})["feature"], value**2)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(200)))


@pytest.mark.parametrize("names", [(), ("voice",), ("frames", "more")])
def test_other_inputs_are_refused(names):
    with pytest.raises(InputError, match="expected frames"):
        load(model("encoder")).run(dict.fromkeys(names, frames()))


@pytest.mark.parametrize("content", [b"", b"not a model", model("encoder")[:100]])
def test_an_artefact_that_is_none_fails_the_check(content):
    with pytest.raises(CheckError, match="LiteRT cannot load the artefact"):
        load(content)


@pytest.mark.parametrize("signatures", [(), ("encoder", "decoder")])
def test_an_artefact_is_one_part(signatures):
    with pytest.raises(CheckError, match=f"got {', '.join(signatures) or 'none'}, expected one signature"):
        load(model(*signatures))


def test_nothing_is_printed(capfd):
    load(model("encoder")).run({"frames": frames(9)})
    assert capfd.readouterr() == ("", "")


def test_nothing_of_it_is_imported_before_it_is_used():
    program = (
        "import sys; from voxtoon.engines import ENGINES; spec = ENGINES['litert'];"
        "print(spec.is_available(), spec.package, 'ai_edge_litert' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "ai-edge-litert", "False"]
