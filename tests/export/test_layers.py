import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voxtoon_export import layers
from voxtoon_export.network import build
from voxtoon_export.parts import Branch, PartSpec, TensorSpec


def built(layer, shape):
    """The layer alone as a torch module, and what it makes of random numbers of that shape."""
    axes = tuple(f"axis{axis}" for axis in range(len(shape) + 1))
    spec = PartSpec("part", TensorSpec("x", axes, (1, *shape)), (layer,), (Branch("y", axes[1:]),))
    module = build(spec).eval()
    return spec, module, module(torch.rand(1, *shape))


LAYERS_ON_MAPS = [
    layers.Conv2d("a", 5, (4, 4)),
    layers.Conv2d("a", 5, (3, 2), (2, 1), (1, 0)),
    layers.ConvTranspose2d("a", 5, (5, 5), (2, 2), (2, 2), (1, 1)),
    layers.ConvTranspose2d("a", 5, (4, 3), (1, 2)),
    layers.ConvTranspose2d("a", 5, (4, 4), (2, 2), (1, 1), bias=False),
    layers.ZeroPad((6, 1), (7, 0)),
    layers.BatchNorm("a"),
    layers.MaxPool((2, 1)),
    layers.TimeMean(),
    layers.Flatten(),
    layers.Relu(),
    layers.LeakyRelu(0.3),
    layers.Tanh(),
    layers.Rescale(0.5, 0.5),
    layers.Sigmoid(),
]
LAYERS_ON_VECTORS = [
    layers.Linear("a", 7),
    layers.BatchNorm("a"),
    layers.Affine("a"),
    layers.Unflatten((2, 3, 4)),
    layers.Unflatten((12, 2)),
    layers.UnitLength(),
]


@pytest.mark.parametrize("layer", LAYERS_ON_MAPS, ids=str)
@given(height=st.integers(4, 9), width=st.integers(4, 9))
def test_declared_shapes_of_maps_are_those_of_torch(layer, height, width):
    assert_as_torch(layer, (height, width, 3))


@pytest.mark.parametrize("layer", LAYERS_ON_VECTORS, ids=str)
def test_declared_shapes_of_vectors_are_those_of_torch(layer):
    assert_as_torch(layer, (24,))


def assert_as_torch(layer, shape):
    spec, module, output = built(layer, shape)
    assert tuple(output.shape) == (1, *layer.output_shape(shape))
    tensors = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert {
        name: shape for name, shape in tensors.items() if "num_batches" not in name
    } == spec.tensor_shapes()
    assert spec.parameters == sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (layers.Conv2d("a", 64, (4, 4)), (598, 257, 2), 595 * 254 * 64 * 2 * 16),
        (layers.ConvTranspose2d("a", 128, (5, 5), (2, 2)), (14, 14, 256), 14 * 14 * 256 * 128 * 25),
        (layers.Linear("a", 1000), (4096,), 4096 * 1000),
        (layers.Relu(), (1000,), 0),
    ],
    ids=str,
)
def test_macs_are_those_of_the_convolution_itself(layer, shape, macs):
    assert layer.macs(shape) == macs


def test_a_map_becomes_a_vector_channel_by_channel_and_back():
    frames = torch.arange(6.0).reshape(1, 1, 3, 2)  # frequency f, channel c holds 2 f + c
    axes = ("batch", "time", "frequency", "channel")
    trunk = (layers.Flatten(), layers.Unflatten((1, 3, 2)))
    spec = PartSpec("part", TensorSpec("x", axes, (1, 1, 3, 2)), trunk, (Branch("y", axes[1:]),))
    assert torch.equal(build(spec)(frames), frames)

    vector = PartSpec("part", spec.input, trunk[:1], (Branch("y", ("feature",)),))
    assert build(vector)(frames).tolist() == [[0, 2, 4, 1, 3, 5]]


def test_the_last_odd_frame_is_not_pooled():
    assert layers.MaxPool((2, 1)).output_shape((589, 248, 128)) == (294, 248, 128)


def test_zeros_are_put_before_and_after_each_axis():
    _, module, _ = built(layers.ZeroPad((1, 0), (2, 0)), (2, 1, 1))
    assert module(torch.tensor([[[[5.0]], [[6.0]]]])).flatten().tolist() == [0, 5, 6, 0, 0]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.LeakyRelu(0.3), [-0.6, 0.0, 2.0]),
        (layers.Rescale(0.5, 1.0), [0.0, 1.0, 2.0]),
        (layers.Tanh(), [-0.9640276, 0.0, 0.9640276]),
    ],
    ids=str,
)
def test_elementwise_layers_are_what_they_say(layer, expected):
    _, module, _ = built(layer, (3,))
    torch.testing.assert_close(module(torch.tensor([[-2.0, 0.0, 2.0]])), torch.tensor([expected]))


def test_the_affine_map_scales_before_it_shifts():
    _, module, _ = built(layers.Affine("a"), (2,))
    module.load_state_dict({"a.scale": torch.tensor([2.0, 3.0]), "a.offset": torch.tensor([10.0, 20.0])})
    assert module(torch.tensor([[1.0, 1.0]])).tolist() == [[12.0, 23.0]]
