"""A checkpoint small enough to export for every run: a sixteenth of the width, random weights."""

from dataclasses import replace

import numpy as np
import pytest


@pytest.fixture(scope="session")
def mean_landmarks():
    """68 points somewhat like a face: a jaw, and rows inside it."""
    angle = np.linspace(0, np.pi, 17)
    jaw = np.column_stack([112 - 60 * np.cos(angle), 112 + 75 * np.sin(angle)])
    inside = np.stack(np.meshgrid(np.linspace(75, 150, 17), [85, 115, 150]), axis=-1).reshape(-1, 2)
    return np.concatenate([jaw, inside]).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_variant():
    from voxtoon_export.systems import speech2face

    size = replace(
        speech2face.VARIANTS["speech2face-mel-w8"],
        width_divisor=16,
        hidden=32,
        feature=16,
        trunk=16,
        texture_channels=8,
        texture_floor=4,
        landmark_hidden=16,
        face_channels=(4, 8),
    )
    return speech2face.variant("tiny", size)


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_variant, mean_landmarks):
    """Every part, with statistics; as in a trained network, the voice makes a difference to the end."""
    torch = pytest.importorskip("torch", reason="exporting needs voxtoon[export]")

    from voxtoon.avatar import MEASUREMENTS
    from voxtoon_export.checkpoint import Checkpoint
    from voxtoon_export.network import build

    torch.manual_seed(0)
    tensors = {}
    for name, part in tiny_variant.parts.items():
        network = build(part)
        for module in network.modules():
            if hasattr(module, "bias"):
                torch.nn.init.normal_(module.bias, std=0.1)
            if hasattr(module, "kernel_size") and hasattr(module, "weight"):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        shape = [400 if isinstance(size, str) else size for size in (4, *part.input.shape[1:])]
        network.train()(torch.randn(shape))  # the batch norms take in what they are to undo
        for module in network.modules():
            if hasattr(module, "running_var"):
                module.momentum = 1.0
        network(torch.randn(shape))
        tensors[name] = {key: value.numpy() for key, value in network.state_dict().items() if value.dim()}
    tensors["decoder"]["landmarks_affine.offset"] = mean_landmarks
    tensors["decoder"]["landmarks_affine.scale"] = np.full_like(mean_landmarks, 5.0)
    return Checkpoint(
        variant=tiny_variant,
        tensors=tensors,
        statistics={
            "mean_landmarks": mean_landmarks,
            "mean_feature": np.zeros(16, np.float32),
            "feature_std": np.ones(16, np.float32),
        },
        avatar_statistics={
            "mean": dict.fromkeys(MEASUREMENTS, 0.0),
            "std": dict.fromkeys(MEASUREMENTS, 1.0),
        },
        model_card={"licence": "CC0-1.0", "training": {"seed": 0}},
    )


@pytest.fixture(scope="session")
def tiny_artefacts(tiny_checkpoint):
    """Part name to precision to the bytes of an ONNX file."""
    from voxtoon_export.lowering import format_named
    from voxtoon_export.streaming.artefacts import StreamedEncoder

    onnx, precisions = format_named("onnx"), ["fp32", "fp16"]
    made = {
        name: onnx.lower(tiny_checkpoint.network(name), part, precisions)
        for name, part in tiny_checkpoint.variant.parts.items()
    }
    streamed = StreamedEncoder.of(tiny_checkpoint.network("encoder"))
    for precision, step, head in streamed.lowered(onnx, precisions):
        made.setdefault("encoder_step", {})[precision] = step
        made.setdefault("head", {})[precision] = head
    return made
