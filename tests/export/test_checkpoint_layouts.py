"""Each layout against a small network of its program, written here in that program's own terms."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from voxtoon import InputError
from voxtoon_export.checkpoint import load_checkpoint
from voxtoon_export.checkpoint_layouts import LAYOUTS, OTHERS, detect, layout
from voxtoon_export.systems import variant as variant_named
from voxtoon_export.systems.speech2face import VARIANTS, variant

DIVISOR, HIDDEN, FEATURE = 32, 24, 16
CHANNELS = [channels // DIVISOR for channels in (64, 64, 128, 128, 128, 256, 512, 512, 512)]
FRAMES = 387  # three steps before the average


def small(name):
    """A variant with fewer channels, ending as the full one of that name does."""
    return variant(name, replace(VARIANTS[name], width_divisor=DIVISOR, hidden=HIDDEN, feature=FEATURE))


def randomised(module):
    """With batch norms that do something: some negative scales too."""
    torch.manual_seed(1)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            for tensor in (child.weight.data, child.bias.data, child.running_mean):
                tensor.normal_()
            child.running_var.uniform_(0.01, 2)
    return module.eval()


def blocks(pool):
    """Table 1 up to the average, as lists of modules: convolution, ReLU, batch norm and perhaps a pool."""
    for number, (before, channels) in enumerate(zip([2, *CHANNELS], CHANNELS, strict=False), start=1):
        block = [nn.Conv2d(before, channels, 4, stride=2 if number > 7 else 1)]
        if number < 9:
            block += [nn.ReLU(), nn.BatchNorm2d(channels)]
        yield [*block, nn.MaxPool2d(pool)] if 3 <= number <= 6 else block


class FrequencyFirst(nn.Module):
    """Kacper-Pietkun's: maps are [batch, channel, frequency, time]."""

    def __init__(self):
        super().__init__()
        *before, last = blocks(pool=(1, 2))
        for number, block in enumerate(before, start=1):
            self.add_module(f"layer{number}", nn.Sequential(*block))
        norm = nn.BatchNorm2d(CHANNELS[-1])
        self.layer9 = nn.Sequential(*last, nn.AdaptiveAvgPool2d((None, 1)), nn.ReLU(), norm)
        self.layer10 = nn.Sequential(nn.Flatten(), nn.Linear(57 * CHANNELS[-1], HIDDEN), nn.ReLU())
        self.layer11 = nn.Sequential(nn.Linear(HIDDEN, FEATURE), nn.ReLU())

    def forward(self, frames):
        value = frames.permute(0, 3, 2, 1)
        for layer in self.children():
            value = layer(value)
        return value


class OneSequence(nn.Module):
    """aqibahmad's: one long sequence, an average of fixed size, a feature of length 1."""

    def __init__(self, steps=3):
        super().__init__()
        flat = [module for block in blocks(pool=(2, 1)) for module in block]
        norm = nn.BatchNorm2d(CHANNELS[-1])
        self.conv = nn.Sequential(*flat, nn.AvgPool2d((steps, 1), stride=1), nn.ReLU(), norm)
        self.linear = nn.Sequential(
            nn.Linear(57 * CHANNELS[-1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, FEATURE)
        )

    def forward(self, frames):
        return nn.functional.normalize(self.linear(self.conv(frames.permute(0, 3, 1, 2)).flatten(1)))


class Keras:
    """saiteja-talluri's, in the terms of Keras: channel last, kernels [height, width, in, out]."""

    def __init__(self):
        random = np.random.default_rng(2)
        self.weights = {}
        for number, (before, channels) in enumerate(zip([2, *CHANNELS], CHANNELS, strict=False)):
            suffix = f"_{number}" if number else ""
            self.weights[f"conv2d{suffix}/kernel:0"] = random.normal(0, 0.2, (4, 4, before, channels))
            self.weights[f"conv2d{suffix}/bias:0"] = random.normal(0, 0.1, channels)
            for name in ("gamma", "beta", "moving_mean"):
                self.weights[f"batch_normalization{suffix}/{name}:0"] = random.normal(0, 1, channels)
            self.weights[f"batch_normalization{suffix}/moving_variance:0"] = random.uniform(0, 0.1, channels)
        sizes = [57 * CHANNELS[-1], HIDDEN, FEATURE]
        for suffix, before, size in zip(("", "_1"), sizes, sizes[1:], strict=False):
            self.weights[f"dense{suffix}/kernel:0"] = random.normal(0, 0.1, (before, size))
            self.weights[f"dense{suffix}/bias:0"] = random.normal(0, 0.1, size)

    def __call__(self, frames):
        value = frames
        for number in range(8):
            value = self._norm(number, np.maximum(self._convolution(number, value), 0))
            if 2 <= number <= 5:
                height = value.shape[0] // 2
                value = value[: 2 * height].reshape(height, 2, *value.shape[1:]).max(axis=1)
        value = self._convolution(8, value).mean(axis=0, keepdims=True)
        value = self._norm(8, np.maximum(value, 0)).reshape(-1)
        value = np.maximum(value @ self._get("dense", 0, "kernel") + self._get("dense", 0, "bias"), 0)
        return value @ self._get("dense", 1, "kernel") + self._get("dense", 1, "bias")

    def save(self, path, *, under=""):
        with h5py.File(path, "w") as file:
            for name, array in self.weights.items():
                file[f"{under}{name.split('/')[0]}/{name}"] = array.astype(np.float32)

    def _get(self, layer, number, name):
        return self.weights[f"{layer}_{number}/{name}:0" if number else f"{layer}/{name}:0"]

    def _convolution(self, number, value):
        windows = np.lib.stride_tricks.sliding_window_view(value, (4, 4), axis=(0, 1))
        windows = windows[::2, ::2] if number >= 7 else windows
        kernel = self._get("conv2d", number, "kernel")
        return np.einsum("tfchw,hwco->tfo", windows, kernel, optimize=True) + self._get(
            "conv2d", number, "bias"
        )

    def _norm(self, number, value):
        gamma, beta, mean, variance = (
            self._get("batch_normalization", number, name)
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (value - mean) / np.sqrt(variance + 1e-3) + beta


@pytest.fixture(scope="module")
def frames():
    return torch.rand(1, FRAMES, 257, 2, generator=torch.Generator().manual_seed(3)) - 0.5


def feature(path, frames, **choice):
    checkpoint = load_checkpoint(path, accept_foreign_frames=True, **choice)
    with torch.no_grad():
        return checkpoint, checkpoint.network("encoder")(frames)


@pytest.mark.parametrize(
    ("program", "name", "variant_name", "nest"),
    [
        (FrequencyFirst, "kacper-pietkun", "speech2face-relu", "model_state_dict"),
        (OneSequence, "aqibahmad", "speech2face-unit", "net_state_dict"),
    ],
)
def test_a_torch_checkpoint_gives_the_features_of_its_program(
    tmp_path, frames, program, name, variant_name, nest
):
    network = randomised(program())
    torch.save({nest: network.state_dict(), "epoch": 1}, tmp_path / "best_model.pt")
    checkpoint, found = feature(tmp_path / "best_model.pt", frames, variant=small(variant_name))
    assert checkpoint.layout == name
    with torch.no_grad():
        torch.testing.assert_close(found, network(frames), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("under", ["", "model_weights/"])
def test_a_keras_checkpoint_gives_the_features_of_its_program(tmp_path, frames, under):
    program = Keras()
    program.save(tmp_path / "final.h5", under=under)
    checkpoint, found = feature(tmp_path / "final.h5", frames, variant=small("speech2face"))
    assert checkpoint.layout == "saiteja-talluri"
    expected = program(frames[0].double().numpy())
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.variant is not None])
def test_a_full_size_checkpoint_of_a_layout_is_table_1(name):
    """All three re-implementations have the paper's 148,062,976 parameters."""
    sources = layout(name).sources(variant_named(layout(name).variant)).values()
    trained = [source.shape for source in sources if not source.tensor.startswith("running_")]
    assert sum(int(np.prod(shape)) for shape in trained) == 148_062_976


def test_frames_that_our_front_end_does_not_make_are_refused_unless_accepted(tmp_path):
    torch.save(FrequencyFirst().state_dict(), tmp_path / "model.pt")
    own = small("speech2face-relu")
    with pytest.raises(
        InputError, match=r"needs frames of another kind: got magnitude and phase.*; train it again"
    ):
        load_checkpoint(tmp_path / "model.pt", variant=own)
    checkpoint = load_checkpoint(tmp_path / "model.pt", variant=own, accept_foreign_frames=True)
    assert checkpoint.foreign_frames.startswith("magnitude and phase")


def test_a_checkpoint_that_does_not_fit_is_told_in_the_names_of_its_program(tmp_path):
    state = FrequencyFirst().state_dict()
    state["layer5.1.weight"] = state.pop("layer5.0.weight")
    state["layer11.0.bias"] = state["layer11.0.bias"][1:]
    torch.save(state, tmp_path / "model.pt")
    message = (
        r"1 missing \(layer5.0.weight\); 1 too many \(layer5.1.weight\); "
        r"1 of another shape \(layer11.0.bias \[15\] and not \[16\]\), expected 58 tensors of Kacper-Pietkun"
    )
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "model.pt", variant=small("speech2face-relu"), accept_foreign_frames=True)


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.title)
def test_known_checkpoints_that_do_not_fit_are_refused_by_name(tmp_path, other):
    save_file({name: np.zeros(1, np.float32) for name in other.tensors}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=f"a checkpoint of {other.title} cannot be used: got {other.reason}"):
        load_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_layout_is_taken_for_another(name):
    sources = layout(name).sources(layout(name).variants[0])
    assert detect(sources).name == name
    assert detect(list(sources)[::2]).name == name


def test_a_layout_that_was_named_is_not_guessed(tmp_path):
    torch.save(FrequencyFirst().state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="none of its tensors in the layout aqibahmad"):
        load_checkpoint(tmp_path / "model.pt", layout="aqibahmad", accept_foreign_frames=True)
    with pytest.raises(InputError, match="unknown checkpoint layout: got caffe, expected one of voxtoon, "):
        load_checkpoint(tmp_path / "model.pt", layout="caffe")


def test_names_of_no_layout_are_shown(tmp_path):
    save_file({"a": np.zeros(1, np.float32), "b": np.zeros(1, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(
        InputError, match="checkpoint of no known layout: got a, b, expected one of voxtoon, "
    ):
        load_checkpoint(tmp_path / "model.safetensors")
