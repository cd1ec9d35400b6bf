"""Checkpoints of imatge-upc/wav2pix against its networks, written here in that program's own terms."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from voxtoon import InputError
from voxtoon_export.checkpoint import load_checkpoint, save_checkpoint
from voxtoon_export.checkpoint_layouts import layout
from voxtoon_export.systems.wav2pix import VARIANTS, variant

SPEECH = (3, 4, 5, 6, 7, 8)
GENERATOR = {64: (6, 5, 4, 3), 128: (7, 6, 5, 4, 3)}
HIDDEN, FEATURE = (9, 8), 7


def narrow(name):
    """A variant with fewer channels."""
    size = VARIANTS[name]
    generator = GENERATOR[size.image_size_px]
    small = replace(
        size, speech_channels=SPEECH, hidden=HIDDEN, feature=FEATURE, generator_channels=generator
    )
    return variant(name, small)


class Normed(nn.Module):
    """A layer whose weight is divided by the norm that its two vectors estimate."""

    def __init__(self, module):
        super().__init__()
        weight = module._parameters.pop("weight")
        self.module = module
        rows = weight.shape[0]
        module.register_parameter("weight_u", nn.Parameter(0.1 * torch.randn(rows), requires_grad=False))
        module.register_parameter(
            "weight_v", nn.Parameter(torch.randn(weight[0].numel()), requires_grad=False)
        )
        module.register_parameter("weight_bar", nn.Parameter(torch.randn_like(weight)))

    def forward(self, value):
        bar = self.module.weight_bar
        norm = self.module.weight_u @ (bar.reshape(len(bar), -1) @ self.module.weight_v)
        stride, padding = self.module.stride, self.module.padding
        return nn.functional.conv_transpose2d(value, bar / norm, stride=stride, padding=padding)


class Block(nn.Module):
    def __init__(self, before, channels):
        super().__init__()
        self.conv = nn.Conv1d(before, channels, 15, stride=4)
        self.bn = nn.BatchNorm1d(channels)

    def forward(self, value):
        return nn.functional.leaky_relu(self.bn(self.conv(nn.functional.pad(value, (6, 7)))), 0.3)


class Speech(nn.Module):
    def __init__(self, last_length):
        super().__init__()
        self.disc = nn.ModuleList(
            Block(before, channels) for before, channels in zip((1, *SPEECH), SPEECH, strict=False)
        )
        sizes = (SPEECH[-1] * last_length, *HIDDEN, FEATURE)
        first, second, third = (nn.Linear(one, other) for one, other in pairwise(sizes))
        self.fc = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, value):
        for block in self.disc:
            value = block(value)
        return self.fc(value.flatten(1))


class Program(nn.Module):
    """The generator of a size: the names of its layers depend on it."""

    def __init__(self, pixels, last_length=4):
        super().__init__()
        self.audio_embedding = Speech(last_length)
        self.aux_classifier = nn.ModuleDict({"net": nn.Sequential(nn.Linear(FEATURE, 4), nn.BatchNorm1d(4))})
        channels = (FEATURE, *GENERATOR[pixels], 3)
        convolutions = [
            Normed(nn.ConvTranspose2d(one, other, 4, 1 if number == 0 else 2, int(number > 0), bias=False))
            for number, (one, other) in enumerate(pairwise(channels))
        ]
        head, tail = convolutions[:-4], convolutions[-4:]
        inner = [layer for one in tail[:-1] for layer in (one, nn.Dropout(0.5), nn.ReLU())]
        outer = [layer for one in head for layer in (one, nn.Dropout(0.5), nn.ReLU())]
        self.netG = nn.Sequential(*outer, nn.Sequential(*inner, tail[-1], nn.Tanh()))

    def forward(self, samples):
        """RGB bytes, as its program writes them: through a library whose order is BGR."""
        bgr = self.netG(self.audio_embedding(samples)[:, :, None, None])
        return (bgr * 127.5 + 127.5).flip(1).permute(0, 2, 3, 1)


def saved(path, pixels, last_length=4):
    torch.manual_seed(pixels)
    program = Program(pixels, last_length)
    for block in program.audio_embedding.disc:
        for tensor in (block.bn.weight.data, block.bn.bias.data, block.bn.running_mean):
            tensor.normal_()
        block.bn.running_var.uniform_(0.1, 2)
    torch.save(program.state_dict(), path)
    return program.eval()


@pytest.mark.parametrize("pixels", [64, 128])
def test_a_checkpoint_gives_the_pictures_of_its_program(tmp_path, pixels):
    program = saved(tmp_path / "gen_200.pth", pixels)
    checkpoint = load_checkpoint(tmp_path / "gen_200.pth", variant=narrow(f"wav2pix-{pixels}"))
    assert checkpoint.layout == f"imatge-upc-{pixels}"
    samples = torch.randn(1, 1, 16_000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = program(samples)
        feature = checkpoint.network("encoder")(samples.movedim(1, 2))
        picture = checkpoint.network("decoder")(feature)
        torch.testing.assert_close(feature, program.audio_embedding(samples), rtol=1e-5, atol=1e-5)
    assert expected.std() > 10
    assert abs(picture * 255 - expected).max() < 0.1  # of 255


@pytest.mark.parametrize(
    ("pixels", "last_length", "name"), [(64, 4, "wav2pix-64"), (128, 3, "wav2pix-128-0.7s")]
)
def test_shapes_tell_size_and_length_and_not_the_front_end(tmp_path, pixels, last_length, name):
    """Full-size shapes, without their memory: an expanded zero is saved as one number."""
    known = layout(f"imatge-upc-{pixels}")
    found = next(one for one in known.variants if one.name == name)
    zero = torch.zeros(1)
    state = {
        key: zero.expand(shape)
        for source in known.sources(found).values()
        for key, shape in source.shapes.items()
    }
    torch.save(state, tmp_path / "gen_1.pth")
    with pytest.raises(InputError, match=f"does not tell its variant: got shapes of {name} or {name}-py2;"):
        load_checkpoint(tmp_path / "gen_1.pth")


def test_a_variant_of_another_length_does_not_fit(tmp_path):
    saved(tmp_path / "gen_1.pth", 64, last_length=3)
    with pytest.raises(InputError, match=r"1 of another shape \(audio_embedding.fc.0.weight \[9, 24\]"):
        load_checkpoint(tmp_path / "gen_1.pth", variant=narrow("wav2pix-64"))


def test_a_weight_without_its_norm_is_told_in_the_names_of_its_program(tmp_path):
    saved(tmp_path / "gen_1.pth", 64)
    state = torch.load(tmp_path / "gen_1.pth")
    del state["netG.3.6.module.weight_u"]
    torch.save(state, tmp_path / "gen_1.pth")
    with pytest.raises(InputError, match=r"1 missing \(netG.3.6.module.weight_u\), expected 57 tensors"):
        load_checkpoint(tmp_path / "gen_1.pth", variant=narrow("wav2pix-64"))


def test_a_norm_of_nothing_is_refused(tmp_path):
    saved(tmp_path / "gen_1.pth", 64)
    state = torch.load(tmp_path / "gen_1.pth")
    state["netG.0.module.weight_v"].zero_()
    torch.save(state, tmp_path / "gen_1.pth")
    with pytest.raises(InputError, match=r"spectral norm of netG.0.module.weight_bar: got 0"):
        load_checkpoint(tmp_path / "gen_1.pth", variant=narrow("wav2pix-64"))


def test_what_was_imported_can_be_saved_as_ours_and_read_again(tmp_path):
    saved(tmp_path / "gen_1.pth", 64)
    own = narrow("wav2pix-64-py2")
    imported = load_checkpoint(tmp_path / "gen_1.pth", variant=own)
    save_checkpoint(tmp_path / "own.safetensors", variant=own, tensors=imported.tensors)
    again = load_checkpoint(tmp_path / "own.safetensors", variant=own)
    assert (again.layout, again.variant.front_end.division) == ("voxtoon", "py2_floor")
    for part, tensors in imported.tensors.items():
        for name, array in tensors.items():
            np.testing.assert_array_equal(again.tensors[part][name], array)
