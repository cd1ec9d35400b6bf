"""Speech2Face: the voice encoder of Oh et al. (CVPR 2019), the face decoder after Cole et al. (CVPR 2017).

One definition each for the encoder, the decoder and the face encoder; a variant is a row of `VARIANTS`.

The encoder is Table 1 of the paper, which does not print the padding: VALID is the one its public
re-implementations use. The decoder is the one the paper builds on. Of its landmark network no more than "a
shallow MLP with ReLU" is published, and nothing of the range of its texture: here one hidden layer with a
fixed affine map to pixels, so that training starts from the mean shape, and a sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from voxtoon.front_end import COMPLEX_POWER, LOG_MEL, FrontEndSpec

from ..layers import (
    Affine,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    Relu,
    Sigmoid,
    TimeMean,
    Unflatten,
    UnitLength,
)
from ..parts import Branch, PartSpec, TensorSpec
from .declaration import System, Variant

LANDMARKS = 68  # iBUG order
OUTPUT_ACTIVATIONS: dict[str, tuple[Layer, ...]] = {"linear": (), "relu": (Relu(),), "unit": (UnitLength(),)}


@dataclass(frozen=True)
class _Block:
    """One row of Table 1: a 4x4 convolution, ReLU and batch norm, and perhaps a pool of 2 over time."""

    channels: int
    pool: bool = False
    stride: int = 1


_TABLE_1 = (
    _Block(64),
    _Block(64),
    _Block(128, pool=True),
    _Block(128, pool=True),
    _Block(128, pool=True),
    _Block(256, pool=True),
    _Block(512),
    _Block(512, stride=2),
)
_LAST_CONVOLUTION = _Block(512, stride=2)


@dataclass(frozen=True)
class Size:
    """What tells one variant from another; the defaults are the paper's.

    Parameters
    ----------
    front_end
        What makes the frames; the encoder's input has its shape.
    width_divisor
        The encoder's channels are Table 1's divided by it.
    hidden, feature
        Widths of the encoder's two fully connected layers.
    output_activation
        ``linear`` as in the paper; ``relu`` or ``unit`` (length 1) as some re-implementations end.
    trunk, texture_channels, texture_floor, landmark_hidden
        Widths of the decoder: its trunk, its 14 x 14 map, the least of any later map, its landmark branch.
    face_channels
        The face encoder's channels, one per convolution; none for a variant that has no face encoder.
    """

    front_end: FrontEndSpec = COMPLEX_POWER
    width_divisor: int = 1
    hidden: int = 4096
    feature: int = 4096
    output_activation: str = "linear"
    trunk: int = 1000
    texture_channels: int = 256
    texture_floor: int = 32
    landmark_hidden: int = 256
    face_channels: tuple[int, ...] = ()


def encoder(size: Size) -> PartSpec:
    """Voice to feature: Table 1, every convolution 4 x 4, VALID, convolution then ReLU then batch norm."""
    layers: list[Layer] = []
    for number, block in enumerate(_TABLE_1, start=1):
        layers += [_conv(number, block, size), Relu(), BatchNorm(f"bn{number}")]
        layers += [MaxPool((2, 1))] if block.pool else []
    last = len(_TABLE_1) + 1
    layers += [_conv(last, _LAST_CONVOLUTION, size), TimeMean(), Relu(), BatchNorm(f"bn{last}"), Flatten()]
    layers += [Linear("fc1", size.hidden), Relu(), Linear("fc2", size.feature)]
    axes = ("batch", "time", "frequency", "channel")
    frames = TensorSpec("frames", axes, (1, "time", *size.front_end.frame_shape))
    output = Branch("feature", ("feature",), OUTPUT_ACTIVATIONS[size.output_activation])
    return PartSpec("encoder", frames, tuple(layers), (output,))


def decoder(size: Size) -> PartSpec:
    """Feature to texture (registered to the mean shape) and landmarks in pixels of the 224 x 224 face."""
    texture: list[Layer] = [Linear("texture_fc", 14 * 14 * size.texture_channels), Relu()]
    texture += [Unflatten((14, 14, size.texture_channels))]
    for number in range(1, 5):  # 28, 56, 112, 224 pixels
        channels = max(size.texture_channels >> number, size.texture_floor)
        texture += [ConvTranspose2d(f"texture_up{number}", channels, (5, 5), (2, 2), (2, 2), (1, 1)), Relu()]
    texture += [Conv2d("texture_rgb", 3, (1, 1)), Sigmoid()]
    landmarks = (
        Linear("landmarks_fc1", size.landmark_hidden),
        Relu(),
        Linear("landmarks_fc2", LANDMARKS * 2),
        Unflatten((LANDMARKS, 2)),
        Affine("landmarks_affine"),
    )
    branches = (
        Branch("texture", ("height", "width", "channel"), tuple(texture)),
        Branch("landmarks", ("point", "coordinate"), landmarks),
    )
    return PartSpec("decoder", _feature(size), (Linear("trunk_fc", size.trunk), Relu()), branches)


def face_encoder(size: Size) -> PartSpec:
    """A small face to its feature: teacher in training, yardstick in evaluation, never on the device."""
    layers: list[Layer] = []
    for number, channels in enumerate(size.face_channels, start=1):
        layers += [
            Conv2d(f"conv{number}", channels, (3, 3), (2, 2), (1, 1)),
            Relu(),
            BatchNorm(f"bn{number}"),
        ]
    layers += [Flatten(), Linear("fc", size.feature)]
    image = TensorSpec("image", ("batch", "height", "width", "channel"), (1, 56, 56, 3))
    return PartSpec(
        "face_encoder", image, tuple(layers), (Branch("feature", ("feature",)),), role="evaluation"
    )


def variant(name: str, size: Size) -> Variant:
    """A variant of this system by its size."""
    parts = [encoder(size), decoder(size)] + ([face_encoder(size)] if size.face_channels else [])
    return Variant(name, "speech2face", size.front_end, {part.name: part for part in parts})


def _feature(size: Size) -> TensorSpec:
    return TensorSpec("feature", ("batch", "feature"), (1, size.feature))


def _conv(number: int, block: _Block, size: Size) -> Conv2d:
    return Conv2d(f"conv{number}", block.channels // size.width_divisor, (4, 4), (block.stride, block.stride))


_SMALL = Size(
    hidden=256,
    feature=128,
    trunk=128,
    texture_channels=32,
    texture_floor=8,
    landmark_hidden=128,
    face_channels=(16, 32, 64, 96),
)
_SMALL_MEL = replace(_SMALL, front_end=LOG_MEL)

VARIANTS: dict[str, Size] = {
    "speech2face": Size(),
    "speech2face-relu": Size(output_activation="relu"),
    "speech2face-unit": Size(output_activation="unit"),
    "speech2face-w8": replace(_SMALL, width_divisor=8),
    "speech2face-mel-w4": replace(_SMALL_MEL, width_divisor=4),
    "speech2face-mel-w8": replace(_SMALL_MEL, width_divisor=8),
}

SPEECH2FACE = System(
    name="speech2face",
    title="Speech2Face",
    source="Oh et al., Speech2Face: Learning the Face Behind a Voice, CVPR 2019",
    variants={name: variant(name, size) for name, size in VARIANTS.items()},
)
