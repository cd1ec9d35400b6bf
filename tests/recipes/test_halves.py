"""Narrow encoders joined into a wide one: its feature is the mean of theirs, exactly."""

import torch

from recipes.halves import build_narrow, join
from voxtoon_export.systems import variant

VARIANT = variant("speech2face-mel-w8")


def test_the_joined_encoder_gives_the_mean_of_the_features():
    torch.manual_seed(0)
    narrow = [build_narrow(VARIANT, 2).train() for _ in range(2)]
    frames = torch.randn(3, 323, 64, 1)
    for network in narrow:
        network(frames)  # moves the statistics of the batch norms apart
        network.eval()
    joined = join(narrow, VARIANT)
    with torch.no_grad():
        mean = torch.stack([network(frames) for network in narrow]).mean(dim=0)
        assert torch.allclose(joined(frames), mean, atol=1e-6)


def test_it_is_the_encoder_of_the_variant():
    joined = join([build_narrow(VARIANT, 1)], VARIANT)
    assert joined.spec == VARIANT.parts["encoder"]
