"""An ONNX graph that can be changed: its nodes in a list, its weights as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]


class Graph(Flow["onnx.NodeProto"]):
    """A copy of a model's graph, to be changed at will; `model` gives it back as a model.

    Attributes
    ----------
    nodes
        In an order in which each comes after what it reads.
    tensors
        The weights and other constants, by name.
    """

    moving = ("MaxPool", "Reshape", "Flatten", "DepthToSpace", "Slice", "Transpose")
    joining = "Concat"

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self._model = type(model)()
        self._model.CopyFrom(model)
        graph = self._model.graph
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.tensors: dict[str, Array] = {
            item.name: numpy_helper.to_array(item) for item in graph.initializer
        }
        self.inputs = [item.name for item in graph.input if item.name not in self.tensors]
        self.outputs = [item.name for item in graph.output]

    def model(self, *, opset: int | None = None) -> onnx.ModelProto:
        """Return the model, checked, without the tensors that nothing reads.

        Parameters
        ----------
        opset
            Of ONNX's own operators; None leaves it. Those of onnxruntime are declared where there are any.
        """
        from onnx import checker, helper, numpy_helper

        graph = self._model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        graph.initializer.extend(
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for name, array in self.tensors.items()
            if name in used
        )
        versions = {item.domain: item.version for item in self._model.opset_import}
        versions[""] = opset or versions[""]
        versions |= {node.domain: 1 for node in self.nodes if node.domain}
        del self._model.opset_import[:]
        self._model.opset_import.extend(helper.make_opsetid(*item) for item in versions.items())
        checker.check_model(self._model, full_check=not any(node.domain for node in self.nodes))
        finished = type(self._model)()
        finished.CopyFrom(self._model)
        return finished

    def only_consumer(self, name: str) -> onnx.NodeProto | None:
        """Return the node that reads a tensor; None where several do, or the outside does."""
        readers = self.consumers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def replace(self, old: onnx.NodeProto, new: Iterable[onnx.NodeProto]) -> None:
        """Put nodes in the place of one."""
        position = next(index for index, node in enumerate(self.nodes) if node is old)
        self.nodes[position : position + 1] = list(new)

    def rename_input(self, node: onnx.NodeProto, old: str, new: str) -> None:
        """Let a node read another tensor in the place of one."""
        node.input[:] = [new if name == old else name for name in node.input]

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return what the elements of an input are."""
        from onnx import helper

        edge = next(edge for edge in self._model.graph.input if edge.name == name)
        return np.dtype(helper.tensor_dtype_to_np_dtype(edge.type.tensor_type.elem_type))

    def set_dtype(self, name: str, dtype: type[np.generic]) -> None:
        """Let an input or output have elements of another kind."""
        from onnx import helper

        for edge in (*self._model.graph.input, *self._model.graph.output):
            if edge.name == name:
                edge.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def set(self, name: str, values: Array) -> str:
        """Keep a tensor under a name, and return the name."""
        self.tensors[name] = values
        return name


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute."""
    from onnx import helper

    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Give a node's attribute a value."""
    from onnx import helper

    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def weight_name(graph: Graph, node: onnx.NodeProto) -> str | None:
    """Return the name of the weights that a convolution or fully connected node has; None for any other."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or len(node.input) < 2:
        return None
    return node.input[1] if node.input[1] in graph.tensors else None


def layer_name(graph: Graph, node: onnx.NodeProto) -> str | None:
    """Return the declared name of the layer that a node computes, which is that of its weights."""
    weight = weight_name(graph, node)
    return None if weight is None else weight.rpartition(".")[0] or weight


def layer_names(graph: Graph) -> Sequence[str]:
    """Return the names of all layers with weights to multiply with, in order."""
    return [name for node in graph.nodes if (name := layer_name(graph, node)) is not None]
