from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from recipes.lessons import Lesson
from recipes.loss import Speech2FaceLoss
from recipes.picture_metric import fit_picture_metric
from recipes.pool import Pool
from recipes.voice_stage import VoiceSettings, train_voice_stage, voice_feature
from voxtoon_export.systems import variant

W8 = variant("speech2face-mel-w8")
SETTINGS = VoiceSettings(examples=60, batch=4, learning_rate=3e-3)
VOICES, FEATURE = 8, 128


@pytest.fixture(scope="module")
def task():
    """Eight voices of steady bands, their features, and pictures that depend on these linearly."""
    generator = torch.Generator().manual_seed(0)
    bands = torch.randn(VOICES, 1, 1, 64, 1, generator=generator)
    pool = Pool((bands + 0.1 * torch.randn(VOICES, 2, 300, 64, 1, generator=generator)).half())
    features = torch.randn(VOICES, FEATURE, generator=generator)
    directions = 0.01 * torch.randn(FEATURE, 56 * 56 * 3, generator=generator)
    pictures = (0.5 + features @ directions).reshape(VOICES, 56, 56, 3).numpy()
    metric = fit_picture_metric(pictures, pictures, features, components=4)
    loss = Speech2FaceLoss(nn.Linear(FEATURE, 16), nn.Linear(FEATURE, 5))
    return pool, features, metric, loss, metric.components_of(pictures)


def lesson(task, rows, *, features, share=1.0):
    pool, all_features, _, _, components = task
    return Lesson(
        Pool(pool.frames[rows]),
        components[rows],
        views=all_features[rows, :3],
        features=all_features[rows] if features else None,
        share=share,
    )


def trained(task, *, settings=SETTINGS, known=VOICES, seed=0):
    _, _, metric, loss, _ = task
    lines = []
    lessons = [lesson(task, slice(0, known), features=True)]
    if known < VOICES:
        lessons.append(lesson(task, slice(known, VOICES), features=False))
    encoder = train_voice_stage(
        lessons,
        W8,
        loss,
        metric,
        settings,
        seed=seed,
        log=lines.append,
    )
    return encoder, [float(line.rsplit(" ", 1)[1]) for line in lines]


def test_the_picture_error_falls(task):
    _, errors = trained(task)
    assert errors[-1] < 0.7 * errors[0]


def test_features_are_typical_of_their_pictures(task):
    """What does not show in a picture is left at what faces with that picture have."""
    encoder, _ = trained(task)
    pool, _, metric, _, _ = task
    with torch.no_grad():
        found = encoder(pool.frames[:, 0].float())
    assert torch.allclose(metric.typical(metric.components(found)), found, atol=0.05 * found.std().item())


def test_the_papers_loss_alone_leads_somewhere_else(task):
    both, _ = trained(task)
    alone, _ = trained(task, settings=replace(SETTINGS, paper_weight=1.0))
    assert not torch.equal(both.fc2.weight, alone.fc2.weight)


def test_the_seed_decides(task):
    first, again, other = (
        trained(task, settings=replace(SETTINGS, examples=8), seed=s)[0] for s in (1, 1, 2)
    )
    assert torch.equal(first.fc2.weight, again.fc2.weight)
    assert not torch.equal(first.fc2.weight, other.fc2.weight)


def test_hearing_what_the_speaker_network_hears_changes_the_encoder(task):
    short = replace(SETTINGS, examples=8)
    with_views, _ = trained(task, settings=short)
    without, _ = trained(task, settings=replace(short, view_weight=0.0))
    assert not torch.equal(with_views.fc1.weight, without.fc1.weight)


def test_voices_without_a_face_need_components_only(task):
    encoder, errors = trained(task, known=3)
    assert np.isfinite(errors).all()
    assert not encoder.training


def test_a_short_voice_is_repeated_as_the_runtime_does(task):
    encoder, _ = trained(task, settings=replace(SETTINGS, examples=8))
    voice = np.random.default_rng(0).normal(0, 0.1, 30_000).astype(np.float32)
    short = voice_feature(encoder, voice, W8.front_end)
    tiled = voice_feature(encoder, np.resize(voice, 96_000), W8.front_end)
    assert short.shape == (FEATURE,)
    assert np.array_equal(short, tiled)
