"""What becomes of each operator of a TFLite graph under the schemes of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from voxtoon.errors import InputError
from voxtoon_export.litert_model import kind, layer_of, shape_of, weighted

from .graph_state import continued_in
from .litert_states import MOVES, LitertFlow
from .recipe import SCHEMES, Scheme, widens

FULLY_CONNECTED: Final = "FULLY_CONNECTED"
_COMPUTES: Final = ("AVERAGE_POOL_2D", "MEAN", "RELU", "LEAKY_RELU", "LOGISTIC", "TANH")
_COMPUTES_OF_TWO: Final = ("ADD", "MUL", "SUB")

Treatment = Literal["static", "dynamic", "weights", "half"]


@dataclass(frozen=True)
class Planned:
    """One operator that does not stay as it is.

    Attributes
    ----------
    kind, name
        What it does, and the name of its result.
    treatment
        ``static``: integers in and out; ``dynamic``: floats in and out, multiplied as integers; ``weights``:
        integer weights alone; ``half``: float16 weights.
    scheme
        Of its layer; None of an operator that is static because it stands between such layers.
    one_scale
        Whether its weights have one scale for all. Fully connected layers of integers do: with one for each
        output LiteRT up to 2.0 computes nonsense, silently. So do wide ones, see `litert_rows`.
    """

    kind: str
    name: str
    treatment: Treatment
    scheme: Scheme | None = None
    one_scale: bool = False


def planned(model: Any, schemes: Mapping[str, str]) -> Iterator[Planned]:
    """Yield what becomes of the operators of a model's graph, in order; those that stay are left out.

    Parameters
    ----------
    model
        A ``ModelT`` of one graph, in float32.
    schemes
        Layer to the name of its scheme.

    Raises
    ------
    InputError
        Four bits are asked for a layer that is not fully connected.
    """
    (graph,) = model.subgraphs
    layers = {
        id(operator): _layer(model, graph, operator, weight, schemes)
        for operator, weight in weighted(model, graph)
    }
    moved = _moved(model, graph, layers)
    integer: set[int] = set()
    for operator in graph.operators:
        if id(operator) in layers:
            found = layers[id(operator)]
        else:
            what, made = kind(model, operator), operator.outputs[0]
            stays = made in moved or _stays_integer(model, graph, operator, what, integer)
            found = Planned(what, _name(graph, operator), "static") if stays else None
        if found is not None:
            yield found
            if found.treatment == "static":
                integer.update(operator.outputs)


def _layer(model: Any, graph: Any, operator: Any, weight: Any, schemes: Mapping[str, str]) -> Planned | None:
    """What becomes of an operator with weights."""
    what, scheme = kind(model, operator), SCHEMES[schemes.get(layer_of(weight), "fp32")]
    treatment = _treatment(model, graph, operator, scheme, layer_of(weight))
    if treatment is None:
        return None
    one_scale = _has_one_scale(what, treatment, scheme, weight)
    return Planned(what, _name(graph, operator), treatment, scheme, one_scale)


def _moved(model: Any, graph: Any, layers: Mapping[int, Planned | None]) -> set[int]:
    """The tensors that the state of static layers is moved by, from call to call."""
    flow = LitertFlow(model)
    static = {key for key, item in layers.items() if item is not None and item.treatment == "static"}
    taken = [flow.names[operator.inputs[0]] for operator in graph.operators if id(operator) in static]
    movers = [mover for state in continued_in(flow, taken) for mover in state.movers]
    return {flow.names.index(name) for mover in movers for name in mover.output}


def _name(graph: Any, operator: Any) -> str:
    name: str = graph.tensors[operator.outputs[0]].name.decode()
    return name


def _treatment(model: Any, graph: Any, operator: Any, scheme: Scheme, layer: str) -> Treatment | None:
    fully_connected = kind(model, operator) == FULLY_CONNECTED
    if scheme.weight_bits == 4 and not fully_connected:
        raise InputError(
            f"four bits for {layer}",
            got=kind(model, operator),
            expected="a fully connected layer",
            hint="use eight",
        )
    if scheme.activations == "static":
        # Eight bits over all pixels of a face would move its landmarks by half a pixel.
        return "dynamic" if fully_connected and _is_output(model, graph, operator) else "static"
    if scheme.activations == "dynamic" or scheme.block is not None:  # blocks are only multiplied as integers
        return "dynamic"
    return {32: None, 16: "half", 8: "weights"}[scheme.weight_bits]


def _has_one_scale(what: str, treatment: Treatment, scheme: Scheme, weight: Any) -> bool:
    if what != FULLY_CONNECTED or scheme.block is not None:
        return False
    return treatment == "static" or widens(shape_of(weight))


def _is_output(model: Any, graph: Any, operator: Any) -> bool:
    """Whether what an operator makes leaves the graph as it is."""
    made = operator.outputs[0]
    if made in graph.outputs:
        return True
    readers = [other for other in graph.operators if made in other.inputs]
    return any(kind(model, other) == "RESHAPE" and other.outputs[0] in graph.outputs for other in readers)


def _stays_integer(model: Any, graph: Any, operator: Any, what: str, integer: set[int]) -> bool:
    if what in (*MOVES, *_COMPUTES):
        return operator.inputs[0] in integer
    constant = [model.buffers[graph.tensors[index].buffer].data is not None for index in operator.inputs[:2]]
    return what in _COMPUTES_OF_TWO and all(
        index in integer or fixed for index, fixed in zip(operator.inputs[:2], constant, strict=True)
    )
