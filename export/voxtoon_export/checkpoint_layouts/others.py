"""Checkpoints that are known and not read: told by their tensors, with the reason why.

The names of tensors were found by building the published classes.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Other:
    """A known layout that no part of ours can hold; ``tensors`` are names that together tell it."""

    title: str
    tensors: tuple[str, ...]
    reason: str


OTHERS = (
    Other(
        "Kacper-Pietkun/Speech-to-face FaceDecoder",
        ("pre_layers.0.0.weight", "texture_layers.0.0.weight"),
        "it draws 72 points of another topology, and its trunk is not Cole's",
    ),
    Other(
        "aqibahmad/speech2face Decoder",
        ("mlp.0.weight", "texture_gen.0.weight"),
        "it has no landmarks",
    ),
    Other(
        "antoniomuso/speech2face encoder",
        ("conv9.weight", "batch_norm9.weight", "fc1.weight"),
        "it pools frequency and has no average over time, unlike Table 1",
    ),
    Other(
        "antoniomuso/speech2face or ravising-h/Speech2Face decoder",
        ("fc3.weight", "T1_.0.weight", "ConvLast.0.weight"),
        "its layers end in other activations than Cole's",
    ),
    Other(
        "imatge-upc/wav2pix discriminator",
        ("netD_1.0.0.module.weight_bar", "netD_2.weight"),
        "it judges faces and makes none: the generator is in gen_<epoch>.pth",
    ),
    Other(
        "imatge-upc/speech2face, the forerunner of Wav2Pix",
        ("audio_embedding.disc.0.conv.weight", "projection.0.weight"),
        "its generator is told the speaker, and is not declared",
    ),
    Other(
        "cmu-mlsp reconstructing_faces_from_voices",
        ("model.0.weight", "model.1.running_mean", "model.12.weight"),
        "the system is not declared",
    ),
    Other("BAI-Yeqi/SF2F_PyTorch", ("decoder.fc.0.weight",), "the system SF2F is not declared"),
    Other("VGG-Face", ("conv1_1.weight", "fc8.weight"), "it sees faces and hears nothing"),
)
