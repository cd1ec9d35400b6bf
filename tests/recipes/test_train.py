"""The whole recipe, small enough for seconds, on twelve painted faces and voices of hums."""

import pytest
import torch

from recipes.dataset import split
from recipes.face_stage import FaceSettings
from recipes.kernel_teacher import KernelSettings
from recipes.lessons import LessonSettings
from recipes.speaker_network import SpeakerNetwork
from recipes.train import RECIPES, Recipe, main, train
from recipes.voice_stage import VoiceSettings
from voxtoon_export.checkpoint import load_checkpoint
from voxtoon_export.systems import variant

TINY = Recipe(
    variant="speech2face-mel-w8",
    face=FaceSettings(epochs=1, batch=4, mean_epochs=1),
    lessons=LessonSettings(versions=2, changed=1, view_components=4, kernel=KernelSettings(folds=2)),
    voice=VoiceSettings(examples=16, batch=4),
)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("checkpoints") / "tiny.safetensors"
    lines = []
    torch.manual_seed(0)
    figures = train(corpus, TINY, out, network=SpeakerNetwork().eval(), seed=1, log=lines.append)
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
    assert any(line.startswith("lessons: ") for line in trained[2])


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
