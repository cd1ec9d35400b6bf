"""The head stage moves the last two layers towards the faces, and nothing else."""

import numpy as np
import pytest
import torch

from recipes.head_stage import FaceTargets, HeadSettings, train_head_stage
from recipes.pool import Pool
from voxtoon_export.network import build
from voxtoon_export.systems import variant

VARIANT = variant("speech2face-mel-w8")
VOICES = 8


@pytest.fixture
def parts():
    torch.manual_seed(0)
    networks = [build(VARIANT.parts[name]).eval().requires_grad_(False) for name in ("encoder", "decoder")]
    rng = np.random.default_rng(0)
    pool = Pool(torch.from_numpy(rng.standard_normal((VOICES, 2, 387, 64, 1)).astype(np.float16)))
    targets = FaceTargets(torch.full((VOICES, 3, 56, 56), 0.8), torch.full((VOICES, 68, 2), 1.0))
    return *networks, pool, targets


def error(encoder, decoder, pool, targets):
    with torch.no_grad():
        texture, points = decoder(encoder(pool.frames[:, 0].float()))
    return float((texture - 0.8).square().mean() + (points - targets.landmarks).square().mean())


def test_faces_come_nearer_and_only_the_last_layers_move(parts):
    encoder = parts[0]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    begun = error(*parts)
    train_head_stage(*parts, HeadSettings(epochs=4, batch=4), seed=0, log=lambda line: None)
    assert error(*parts) < begun
    moved = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {f"fc{number}.{tensor}" for number in (1, 2) for tensor in ("weight", "bias")}


def test_no_epochs_leave_the_encoder_as_it_is(parts):
    encoder = parts[0]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    train_head_stage(*parts, HeadSettings(epochs=0), seed=0)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
