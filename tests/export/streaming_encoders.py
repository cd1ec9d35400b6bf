"""Small encoders with random weights to stream: both front ends, with and without padding in time."""

from dataclasses import replace

import torch

from voxtoon.front_end import COMPLEX_POWER, LOG_MEL
from voxtoon_export.layers import BatchNorm, Conv2d, Flatten, Linear, TimeMean, ZeroPad
from voxtoon_export.network import build
from voxtoon_export.parts import Branch, PartSpec, TensorSpec
from voxtoon_export.systems import speech2face

FRONT_ENDS = {"mel": LOG_MEL, "complex": COMPLEX_POWER}


def encoder(front_end, *, padded=False, width_divisor=16):
    """Speech2Face's encoder; `padded` as TensorFlow's SAME does: one frame before, two after."""
    size = replace(
        speech2face.Size(),
        front_end=FRONT_ENDS[front_end],
        width_divisor=width_divisor,
        hidden=32,
        feature=16,
    )
    part = speech2face.encoder(size)
    if not padded:
        return part
    layers = []
    for layer in part.trunk:
        layers += [ZeroPad((1, 1), (2, 2)), layer] if isinstance(layer, Conv2d) else [layer]
    return replace(part, trunk=tuple(layers))


def encoder_of(layers, *, frequency=3, channels=1):
    """Any layers before the mean over time, and a small head."""
    frames = TensorSpec("frames", ("batch", "time", "frequency", "channel"), (1, "time", frequency, channels))
    trunk = (*layers, TimeMean(), BatchNorm("bn_head"), Flatten(), Linear("fc", 4))
    return PartSpec("encoder", frames, trunk, (Branch("feature", ("feature",)),))


def lively(part):
    """The part's network; batch norms with scales of either sign, and offsets that padding would show."""
    torch.manual_seed(0)
    network = build(part)
    for module in network.modules():
        if getattr(module, "bias", None) is not None:
            torch.nn.init.normal_(module.bias, std=0.3)
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.normal_(module.weight)
    with torch.no_grad():
        network.train()(frames_for(part, part.minimum_frames + 40, seed=1, batch=2))
    return network.eval()


def frames_for(part, count, *, seed=0, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, count, *part.input.shape[2:], generator=generator)
