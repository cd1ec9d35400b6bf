"""Wav2Pix: the speech encoder and the generator of Duarte et al. (ICASSP 2019), 64 and 128 pixels.

What a device runs: the raw waveform of a short window to an embedding of 128 numbers, and that to a picture.
The networks that only training needs (discriminator, auxiliary classifier) are not declared. Differences to
the published program are told in docs/systems.md; the sizes are those of its code, the paper names fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from voxtoon.front_end import WAVEFORM, FrontEndSpec

from ..layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    LeakyRelu,
    Linear,
    Relu,
    Rescale,
    Tanh,
    Unflatten,
    ZeroPad,
)
from ..parts import Branch, PartSpec, TensorSpec
from .declaration import Picture, System, Variant

SPEECH_CHANNELS = (16, 32, 128, 256, 512, 1024)
GENERATOR_CHANNELS = {128: (1024, 512, 256, 128, 64), 64: (512, 256, 128, 64)}


@dataclass(frozen=True)
class Size:
    """What tells one variant from another; the defaults are the published 128-pixel model's.

    Parameters
    ----------
    front_end
        What makes the window of waveform that the encoder takes; its length decides the first fully
        connected layer's.
    image_size_px
        Side of the picture; a generator with a 4-pixel map first and each further one twice as large.
    speech_channels, hidden, feature
        The encoder's convolutions, its two hidden layers, and the embedding.
    generator_channels
        The generator's maps, without the picture's own three.
    """

    front_end: FrontEndSpec = WAVEFORM
    image_size_px: int = 128
    speech_channels: tuple[int, ...] = SPEECH_CHANNELS
    hidden: tuple[int, int] = (256, 128)
    feature: int = 128
    generator_channels: tuple[int, ...] = GENERATOR_CHANNELS[128]


def encoder(size: Size) -> PartSpec:
    """Waveform to feature: convolutions of 15 samples in steps of 4, batch norm before each leaky ReLU.

    They are 2-D convolutions over a map one element wide, which is how the formats run them best.
    """
    samples = size.front_end.clip_samples
    layers: list[Layer] = [Flatten(), Unflatten((samples, 1, 1))]
    for number, channels in enumerate(size.speech_channels, start=1):
        layers += [ZeroPad((6, 0), (7, 0)), Conv2d(f"conv{number}", channels, (15, 1), (4, 1))]
        layers += [BatchNorm(f"bn{number}"), LeakyRelu(0.3)]
    layers += [Flatten()]
    for number, width in enumerate(size.hidden, start=1):
        layers += [Linear(f"fc{number}", width), Relu()]
    layers += [Linear(f"fc{len(size.hidden) + 1}", size.feature)]
    frames = TensorSpec("frames", ("batch", "time", "channel"), (1, samples, *size.front_end.frame_shape))
    return PartSpec("encoder", frames, tuple(layers), (Branch("feature", ("feature",)),))


def decoder(size: Size) -> PartSpec:
    """Feature to picture, RGB: the published tanh in [-1, 1], brought to [0, 1] as its program does."""
    layers: list[Layer] = [Unflatten((1, 1, size.feature))]
    for number, channels in enumerate(size.generator_channels, start=1):
        stride, padding = ((1, 1), (0, 0)) if number == 1 else ((2, 2), (1, 1))
        layers += [ConvTranspose2d(f"up{number}", channels, (4, 4), stride, padding, bias=False), Relu()]
    layers += [
        ConvTranspose2d(f"up{len(size.generator_channels) + 1}", 3, (4, 4), (2, 2), (1, 1), bias=False),
        Tanh(),
        Rescale(0.5, 0.5),
    ]
    feature = TensorSpec("feature", ("batch", "feature"), (1, size.feature))
    return PartSpec("decoder", feature, tuple(layers), (Branch("image", ("height", "width", "channel")),))


def variant(name: str, size: Size) -> Variant:
    """A variant of this system by its size."""
    parts = (encoder(size), decoder(size))
    # Faces were cut out by a detector whose square ends at the ears, in the forehead and below the mouth.
    picture = Picture(
        size_px=size.image_size_px, left=0.15, right=0.85, brows=0.35, chin=0.95, statistics=_STATISTICS
    )
    return Variant(name, "wav2pix", size.front_end, {part.name: part for part in parts}, picture)


# No statistics are published. These spread the values that hair has in pictures over the avatar's range.
_STATISTICS = {
    "hair_length": (0.3, 0.25),
    "hair_volume": (0.5, 0.25),
    "hair_flare": (0.0, 0.15),
    "hairline": (0.6, 0.2),
    "hair_part": (0.0, 0.1),
    "hair_lightness": (0.3, 0.15),
    "hair_warmth": (0.3, 0.2),
}

_LENGTHS = {"": 16_000, "-0.7s": 11_200, "-4s": 64_000}
_DIVISIONS = {"": WAVEFORM, "-py2": replace(WAVEFORM, division="py2_floor")}


def _sizes() -> dict[str, Size]:
    return {
        f"wav2pix-{pixels}{length}{division}": Size(
            front_end=replace(front_end, clip_samples=samples),
            image_size_px=pixels,
            generator_channels=channels,
        )
        for (pixels, channels), (length, samples), (division, front_end) in product(
            GENERATOR_CHANNELS.items(), _LENGTHS.items(), _DIVISIONS.items()
        )
    }


VARIANTS: dict[str, Size] = _sizes()

WAV2PIX = System(
    name="wav2pix",
    title="Wav2Pix",
    source="Duarte et al., Wav2Pix: Speech-conditioned Face Generation using GANs, ICASSP 2019",
    variants={name: variant(name, size) for name, size in VARIANTS.items()},
)
