"""A part rewritten for channel-last runtimes, its batch norms folded, computes what it computed."""

import pytest

from voxtoon_export.layers import (
    Affine,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Linear,
    MaxPool,
    Relu,
    Sigmoid,
    TimeMean,
    Unflatten,
)
from voxtoon_export.parts import Branch, PartSpec, TensorSpec

torch = pytest.importorskip("torch", reason="lowering needs voxtoon[export]")

from torch import nn  # noqa: E402

from voxtoon_export.batch_norm import FactorAndOffset  # noqa: E402
from voxtoon_export.channel_last import channel_last  # noqa: E402
from voxtoon_export.network import build  # noqa: E402
from voxtoon_export.polyphase import PolyphaseConvTranspose2d  # noqa: E402


def network(*layers, shape=(1, 12, 6, 2), branches=()):
    """A part of these layers in float64, its batch norms as after training, their factors above 0."""
    torch.manual_seed(0)
    axes = ("batch", "time", "frequency", "channel")[: len(shape)]
    ends = branches or (Branch("output", ()),)
    built = build(PartSpec("part", TensorSpec("input", axes, shape), layers, ends)).double()
    for module in built.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.normal_(module.bias)
        if "scale" in dict(module.named_buffers(recurse=False)):
            nn.init.normal_(module.scale)
            nn.init.normal_(module.offset)
    return built.eval()


def outputs(module, shape):
    found = module(torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    return found if isinstance(found, tuple) else (found,)


def rewritten(original):
    """The part rewritten, which computes the same; batch norms are folded in float32."""
    shape = original.spec.input.shape
    before = {name: value.clone() for name, value in original.state_dict().items()}
    found = channel_last(original).double()
    for expected, got in zip(outputs(original, shape), outputs(found, shape), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    for name, value in original.state_dict().items():
        assert torch.equal(value, before[name]), name
    return found


def kinds(module):
    return {type(child) for child in module.children()}


MAP = Unflatten((4, 3, 2))


@pytest.mark.parametrize(
    "layers",
    [
        (Conv2d("conv", 3, (3, 3)), Relu(), Flatten(), Linear("fc", 5)),
        (Flatten(), BatchNorm("bn"), Relu(), Linear("fc", 5), Sigmoid()),
        (Flatten(), Affine("affine"), Linear("fc", 5)),
        (Flatten(), Linear("fc", 24), Relu(), MAP, Conv2d("conv", 3, (2, 2))),
        (Flatten(), Linear("fc", 24), Affine("affine"), BatchNorm("bn"), MAP, MaxPool((2, 1))),
        (Flatten(), Linear("fc", 24), MAP, ConvTranspose2d("up", 3, (5, 5), (2, 2), (2, 2), (1, 1)), Relu()),
        (Conv2d("conv", 3, (3, 3)), TimeMean(), Relu(), BatchNorm("bn"), Flatten(), Linear("fc", 5)),
    ],
)
def test_it_computes_the_same_and_flattens_channel_last(layers):
    found = rewritten(network(*layers))
    assert not kinds(found) & {nn.Flatten, nn.Unflatten, nn.ConvTranspose2d, nn.BatchNorm2d}


@pytest.mark.parametrize(
    "layers",
    [
        (Conv2d("conv", 3, (3, 3)), Flatten()),  # the vector is the output, in its declared order
        (Conv2d("conv", 2, (3, 3)), Flatten(), Unflatten((10, 4, 2))),
        (Flatten(), Unflatten((6, 12, 2)), Conv2d("conv", 2, (3, 3))),
        (Flatten(), Linear("fc", 6), Unflatten((3, 2))),  # a table, row by row
        (Flatten(), Linear("fc", 24), MAP, ConvTranspose2d("up", 3, (2, 3), (2, 1), (1, 0))),
    ],
)
def test_what_cannot_be_rewritten_is_left(layers):
    found = rewritten(network(*layers))
    assert kinds(found) & {nn.Flatten, nn.Unflatten, nn.ConvTranspose2d}


def test_a_vector_that_several_branches_take_is_left():
    branches = (Branch("one", (), (Linear("fc1", 3),)), Branch("two", (), (Linear("fc2", 3),)))
    assert nn.Flatten in kinds(rewritten(network(Flatten(), branches=branches)))


@pytest.mark.parametrize(
    ("layers", "folded"),
    [
        ((Conv2d("a", 3, (3, 3)), BatchNorm("bn"), Relu()), True),
        ((Conv2d("a", 3, (3, 3)), Relu(), BatchNorm("bn"), Conv2d("b", 3, (3, 3))), True),
        ((Conv2d("a", 3, (3, 3)), Relu(), BatchNorm("bn"), MaxPool((2, 1)), Conv2d("b", 3, (3, 3))), True),
        ((Relu(), BatchNorm("bn"), Flatten(), Linear("fc", 3)), True),
        ((Relu(), BatchNorm("bn"), Conv2d("b", 3, (3, 3), padding=(1, 0))), False),
        ((Relu(), BatchNorm("bn"), Relu(), Conv2d("b", 3, (3, 3))), False),
        ((Relu(), BatchNorm("bn"), ConvTranspose2d("up", 3, (4, 4), (2, 2), (1, 1))), False),
        ((Relu(), BatchNorm("bn")), False),
        ((ConvTranspose2d("up", 3, (4, 4), (2, 2), (1, 1), bias=False), BatchNorm("bn"), Relu()), True),
    ],
)
def test_a_batch_norm_is_folded_where_that_is_exact(layers, folded):
    left = FactorAndOffset in kinds(rewritten(network(*layers)))
    assert left != folded


def test_a_factor_below_zero_does_not_pass_a_maximum():
    original = network(Relu(), BatchNorm("bn"), MaxPool((2, 1)), Conv2d("b", 3, (3, 3)))
    original.bn.weight.data[1] *= -1
    assert FactorAndOffset in kinds(rewritten(original))


def test_layers_keep_their_names():
    original = network(Flatten(), Linear("fc", 24), MAP, ConvTranspose2d("up", 3, (4, 4), (2, 2), (1, 1)))
    found = rewritten(original)
    assert [name for name, _ in found.named_children()] == [name for name, _ in original.named_children()]
    assert isinstance(found.up, PolyphaseConvTranspose2d)
