"""Passes over ONNX graphs: no traces of the exporter, fixed shapes, other names, float16 weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import CheckError

if TYPE_CHECKING:
    import onnx

FLOAT32_SHARE: Final = 0.05


def specialise(
    model: onnx.ModelProto, *, shapes: Mapping[str, Sequence[int]], constants: Mapping[str, NDArray[Any]]
) -> onnx.ModelProto:
    """Fix inputs at constants and all shapes, then fold whatever no longer depends on an input.

    The graph is run once on zeros: what hangs on constants or on shapes alone becomes a constant, an `If`
    whose condition is one gives way to the branch it takes, and the rest is kept as it is.

    Parameters
    ----------
    shapes
        The shape of every remaining input and of every output, by name.
    constants
        Inputs to take out, by name, and their values.

    Raises
    ------
    CheckError
        A branch depends on the data, so that it cannot be decided here.
    """
    from onnx import checker, helper, numpy_helper

    graph = model.graph
    known = {item.name: numpy_helper.to_array(item) for item in graph.initializer} | dict(constants)
    inputs = [value for value in graph.input if value.name not in known]
    values = known | {value.name: np.zeros(shapes[value.name], np.float32) for value in inputs}
    kept = _fold(graph.node, known, values, model)
    nodes = _without_identities(kept, {value.name for value in graph.output})
    used = {name for node in nodes for name in node.input}

    def edge(values: Sequence[onnx.ValueInfoProto]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(
                value.name, value.type.tensor_type.elem_type, list(shapes[value.name])
            )
            for value in values
        ]

    specialised = helper.make_model(
        helper.make_graph(
            nodes,
            graph.name,
            edge(inputs),
            edge(graph.output),
            [
                numpy_helper.from_array(np.asarray(array), name)
                for name, array in known.items()
                if name in used
            ],
        ),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    checker.check_model(specialised, full_check=True)
    return specialised


def _fold(
    nodes: Sequence[onnx.NodeProto],
    known: dict[str, NDArray[Any]],
    values: dict[str, NDArray[Any]],
    model: onnx.ModelProto,
) -> list[onnx.NodeProto]:
    """Return the nodes that depend on an input; ``known`` and ``values`` grow by what the others give."""
    from onnx import helper

    kept: list[onnx.NodeProto] = []
    for node in nodes:
        constant = node.op_type == "Shape" or all(name in known for name in node.input if name)
        if node.op_type == "If":
            if not constant:
                raise CheckError(f"the If node {node.name or node.output[0]} depends on the data")
            chosen = "then_branch" if bool(known[node.input[0]]) else "else_branch"
            branch = next(attribute.g for attribute in node.attribute if attribute.name == chosen)
            inner = [
                helper.make_node("Identity", [result.name], [name])
                for result, name in zip(branch.output, node.output, strict=True)
            ]
            kept += _fold([*branch.node, *inner], known, values, model)
            continue
        results = _run_node(node, values, model)
        values.update(results)
        if constant:
            known.update(results)
        else:
            kept.append(node)
    return kept


def _run_node(
    node: onnx.NodeProto, values: Mapping[str, NDArray[Any]], model: onnx.ModelProto
) -> dict[str, NDArray[Any]]:
    from onnx import helper

    from voxtoon.engines.onnx import load

    names = [name for name in dict.fromkeys(node.input) if name]
    graph = helper.make_graph(
        [node],
        "node",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape
            )
            for name in names
        ],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = load(single.SerializeToString(), precision="fp32", threads=1)
    return session.run({name: values[name] for name in names})


def _without_identities(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    """Drop `Identity` nodes: who reads one reads its source; the source of an output takes its name."""
    names: dict[str, str] = {}
    for node in nodes:
        if node.op_type == "Identity":
            names[node.output[0]] = names.get(node.input[0], node.input[0])
    final = {names[output]: output for output in outputs if output in names}
    names = {name: final.get(source, source) for name, source in names.items()} | final
    return [_renamed(node, names) for node in nodes if node.op_type != "Identity"]


def renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """Return the model with other names for some of its values, inputs and outputs included.

    Parameters
    ----------
    names
        Old name to new; the new ones must not be names in the model yet.
    """
    nodes = [_renamed(node, names) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)
    return model


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    renamed = type(node)()
    renamed.CopyFrom(node)
    for old, new in ((node.input, renamed.input), (node.output, renamed.output)):
        new[:] = [names.get(name, name) for name in old]
    return renamed


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the exporter's notes, which hold paths of this machine and grow the file."""
    del model.metadata_props[:], model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    del model.graph.value_info[:]
    for item in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    return model


def with_float16_weights(model: onnx.ModelProto, *, float32_share: float = FLOAT32_SHARE) -> onnx.ModelProto:
    """Return the model with its weights in float16: half the file, the same computation.

    A `Cast` stands after each such weight, which onnxruntime folds away as it loads the model: on a CPU that
    is as fast as float32, while computing in float16 is slower, and 2 to 6 dB worse. The smallest tensors, up
    to `float32_share` of all values, stay as they are: mostly those of the first layers and the batch norms,
    whose rounding every later layer sees. That gains 13 to 17 dB more (docs/export.md).

    Raises
    ------
    CheckError
        A weight is beyond what float16 holds.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    lighter = type(model)()
    lighter.CopyFrom(model)
    graph = lighter.graph
    weights = [item for item in graph.initializer if item.data_type == TensorProto.FLOAT]
    weights.sort(key=lambda item: math.prod(item.dims))
    sizes = np.cumsum([math.prod(item.dims) for item in weights])
    casts = []
    for weight in (
        item for item, size in zip(weights, sizes, strict=True) if size > float32_share * sizes[-1]
    ):
        name, stored = weight.name, f"{weight.name}_fp16"
        weight.CopyFrom(numpy_helper.from_array(halved(numpy_helper.to_array(weight), name), stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    checker.check_model(lighter, full_check=True)
    return lighter


def halved(values: NDArray[np.float32], name: str) -> NDArray[np.float16]:
    """Round weights to float16; CheckError names those that it cannot hold."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    if not np.isfinite(rounded).all():
        largest = f"{np.abs(values).max():g}"
        raise CheckError(f"{name} cannot be float16", got=largest, expected="at most 65504")
    return rounded
