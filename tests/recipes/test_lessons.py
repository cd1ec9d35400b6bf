"""What the published voices teach, and what the voices that were made of them do."""

from dataclasses import replace

import pytest
import torch

from recipes.augment import Channel
from recipes.dataset import TARGET
from recipes.face_stage import FaceModel
from recipes.kernel_teacher import KernelSettings
from recipes.lessons import LessonSettings, hear, make_lessons
from recipes.picture_metric import fit_picture_metric
from recipes.speaker_network import SpeakerNetwork
from voxtoon.front_end import LOG_MEL
from voxtoon_export.network import build
from voxtoon_export.systems import variant

SETTINGS = LessonSettings(versions=2, changed=2, view_components=4, kernel=KernelSettings(folds=3))


@pytest.fixture(scope="module")
def lessons(corpus):
    torch.manual_seed(0)
    parts = variant("speech2face-mel-w8").parts
    face = FaceModel(
        build(parts["face_encoder"]).eval(),
        build(parts["decoder"]).eval(),
        torch.nn.Linear(128, 5),
        corpus.landmarks[TARGET].mean(axis=0),
    )
    pictures = corpus.small(TARGET)
    metric = fit_picture_metric(pictures, pictures, face.feature(pictures), components=6)
    network = SpeakerNetwork().eval()

    def made(settings, *, ear=network):
        heard = hear(corpus.voices, LOG_MEL, ear, settings, Channel(), seed=1)
        return make_lessons(corpus, heard, face, metric, settings, seed=1)

    return made, metric


def test_without_a_teacher_the_published_faces_are_all(lessons, corpus):
    made, metric = lessons
    (only,) = made(SETTINGS, ear=None)
    assert torch.allclose(only.components, metric.components_of(corpus.small(TARGET)))
    assert only.features.shape == (len(corpus), 128)
    assert only.views.shape == (len(corpus), 0)


def test_the_target_lies_between_the_face_and_the_opinion(lessons):
    made, _ = lessons
    face, half, opinion = (made(replace(SETTINGS, teacher_share=share))[0] for share in (0.0, 0.5, 1.0))
    assert not torch.allclose(face.components, opinion.components)
    assert torch.allclose(half.components, (face.components + opinion.components) / 2, atol=1e-3)


def test_changed_voices_have_the_teachers_opinion_and_no_face(lessons, corpus):
    made, _ = lessons
    published, changed = made(SETTINGS)
    count = SETTINGS.changed * len(corpus)
    assert changed.features is None
    assert changed.pool.frames.shape[:2] == (count, 2)
    assert changed.components.shape == (count, 6)
    assert changed.views.shape[1] == published.views.shape[1] == 4
    assert changed.share + published.share == pytest.approx(1.0)
