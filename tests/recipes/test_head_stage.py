"""The head stage moves the last two layers towards the faces, and nothing else."""

import numpy as np
import pytest
import torch

from recipes.head_stage import HeadSettings, train_head_stage
from recipes.lessons import Lesson
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
    textures, landmarks = torch.full((VOICES, 3, 56, 56), 0.8), torch.full((VOICES, 68, 2), 1.0)
    nothing = torch.zeros(VOICES, 0)
    return *networks, [Lesson(pool, nothing, textures, landmarks, views=nothing)]


def error(encoder, decoder, lessons):
    (lesson,) = lessons
    with torch.no_grad():
        texture, points = decoder(encoder(lesson.pool.frames[:, 0].float()))
    return float((texture - 0.8).square().mean() + (points - lesson.landmarks).square().mean())


def test_faces_come_nearer_and_only_the_last_layers_move(parts):
    encoder = parts[0]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    begun = error(*parts)
    train_head_stage(*parts, HeadSettings(examples=32, batch=4), seed=0, log=lambda line: None)
    assert error(*parts) < begun
    moved = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {f"fc{number}.{tensor}" for number in (1, 2) for tensor in ("weight", "bias")}


def test_no_examples_leave_the_encoder_as_it_is(parts):
    encoder = parts[0]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    train_head_stage(*parts, HeadSettings(examples=0), seed=0)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
