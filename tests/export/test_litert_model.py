"""What a TFLite file tells of its layers."""

import numpy as np
import pytest

from voxtoon_export.litert_model import layer_of, read, shape_of, weighted, with_layer_names, written

torch = pytest.importorskip("torch", reason="lowering needs voxtoon[export]")
pytest.importorskip("litert_torch", reason="lowering to LiteRT needs voxtoon[export]")


@pytest.fixture(scope="module")
def content(tiny_checkpoint):
    from voxtoon_export.lowering import format_named

    part = tiny_checkpoint.variant.parts["decoder"]
    return format_named("litert").lower(tiny_checkpoint.network("decoder"), part, ["fp32"])["fp32"]


def layers_of(content):
    model = read(content)
    return [
        (layer_of(weight), int(np.prod(shape_of(weight))))
        for _, weight in weighted(model, model.subgraphs[0])
    ]


def test_weights_bear_the_declared_names_also_where_the_converter_merged_layers(content, tiny_checkpoint):
    tensors = tiny_checkpoint.tensors["decoder"]
    found = layers_of(content)

    assert [name for name, _ in found[:2] + found[-2:]] == [
        "trunk_fc", "texture_fc", "landmarks_fc1", "landmarks_fc2",
    ]  # fmt: skip
    sizes = dict(found)
    for name in ("trunk_fc", "texture_fc", "texture_rgb", "landmarks_fc1", "landmarks_fc2"):
        assert sizes[name] == tensors[f"{name}.weight"].size


def test_every_tensor_has_a_name_of_its_own(content):
    (graph,) = read(content).subgraphs
    names = [tensor.name.decode() for tensor in graph.tensors]

    assert len(set(names)) == len(names)
    assert {"texture_up1", "texture_up1.depth_to_space", "trunk_fc.bias"} <= set(names)


def test_layers_that_do_not_fit_are_not_given(content):
    layers = layers_of(content)
    swapped = [layers[-1], *layers[1:-1], layers[0]]

    assert with_layer_names(content, [("other", size) for _, size in layers]) != content
    assert with_layer_names(content, swapped) == content
    assert with_layer_names(content, layers[:-1]) == content


def test_what_is_read_is_written_as_it_was(content):
    assert written(read(written(read(content)))) == written(read(content))
