"""The whole recipe, small enough for seconds, on twelve painted faces and voices of hums."""

import numpy as np
import pytest

from recipes.dataset import PICTURE_SETS, Corpus, split
from recipes.face_stage import FaceSettings
from recipes.head_stage import HeadSettings
from recipes.teachers import TeacherSettings
from recipes.train import RECIPES, Recipe, main, train
from recipes.voice_stage import VoiceSettings
from tests.faces import upright_face
from voxtoon_export.checkpoint import load_checkpoint
from voxtoon_export.systems import variant

# Four of these are held out and two are for validation, by their names.
SPEAKERS = [f"spk{number:04d}" for number in (0, 1, 2, 3, 4, 5, 6, 7, 9, 14, 14, 21)]
TINY = Recipe(
    variant="speech2face-mel-w8",
    versions=2,
    face=FaceSettings(epochs=1, batch=4, mean_epochs=1),
    teachers=TeacherSettings(count=1, width=8, epochs=1, batch=4),
    voice=VoiceSettings(epochs=1, batch=4, crop_frames=259),
    second=VoiceSettings(epochs=1, batch=4, crop_frames=259),
    head=HeadSettings(epochs=1, batch=4),
)


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    count = len(SPEAKERS)
    time_s = np.arange(50_000) / 16_000
    pitches_hz = np.linspace(90, 300, count)
    pictures = rng.integers(0, 255, (count, 14, 14, 3)).astype(np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    return Corpus(
        clips=[f"clip{number:02d}" for number in range(count)],
        speakers=SPEAKERS,
        voices=[(0.1 * np.sign(np.sin(2 * np.pi * hz * time_s))).astype(np.float32) for hz in pitches_hz],
        pictures=dict.fromkeys(PICTURE_SETS, pictures),
        landmarks={
            name: (upright_face() + rng.normal(0, 0.5, (count, 68, 2))).astype(np.float32)
            for name in PICTURE_SETS
        },
        sha256="of nothing",
    )


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("checkpoints") / "tiny.safetensors"
    lines = []
    figures = train(corpus, TINY, out, seed=1, log=lines.append)
    return out, figures, lines


def test_the_checkpoint_is_whole(trained, corpus):
    checkpoint = load_checkpoint(trained[0])
    assert checkpoint.variant.name == "speech2face-mel-w8"
    assert set(checkpoint.tensors) == {"encoder", "decoder", "face_encoder"}
    statistics = {name: array.shape for name, array in checkpoint.statistics.items()}
    assert statistics == {
        "mean_feature": (128,),
        "feature_std": (128,),
        "mean_landmarks": (68, 2),
        "domain_mean": (40,),
        "domain_whitener": (40, 40),
        "domain_distances": (2,),
    }
    assert set(checkpoint.avatar_statistics) == {"mean", "std"}
    assert checkpoint.model_card["training data"]["sha256"] == corpus.sha256
    assert checkpoint.model_card["training"]["seed"] == 1


def test_the_card_counts_the_training_clips_only(trained, corpus):
    held_out = len(split(corpus)["held_out"])
    assert held_out >= 2
    card = load_checkpoint(trained[0]).model_card
    assert card["training data"]["clips"] == len(corpus) - held_out


def test_the_figures_are_those_of_evaluate(trained):
    figures = trained[1]
    assert {"fidelity", "components", "retrieval"} <= set(figures)
    assert figures["fidelity"]["mean face"]["R2"] == pytest.approx(0.0, abs=1e-6)
    assert {"voice", "shuffled voices", "decoder alone"} <= set(figures["fidelity"])


def test_progress_is_told(trained):
    assert any(line.startswith("face stage") for line in trained[2])
    assert any(line.startswith("voice stage") for line in trained[2])
    assert any(line.startswith("teacher") for line in trained[2])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_trains_a_variant_that_exists(name):
    parts = variant(RECIPES[name].variant).parts
    assert RECIPES[name].voice.crop_frames >= parts["encoder"].minimum_frames


def test_the_default_fits_the_wheel():
    """Twelve megabytes at fp32 for all parts, of which two are for the voice activity detector."""
    assert variant(RECIPES["default"].variant).parameters <= 2_400_000


def test_a_wrong_folder_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "x.safetensors")]) == 2
    assert "index.csv" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
