"""The default model again, from the data folder to a checkpoint, by one command.

``python -m recipes.train --data DIR --out recipes/checkpoints/speech2face-mel-w4.safetensors``
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.augment import Channel
from recipes.dataset import PICTURE_SETS, TARGET, Corpus, load, split
from recipes.face_stage import FaceModel, FaceSettings, train_face_stage
from recipes.figures import avatar_statistics, features_of_voices, figures
from recipes.lessons import LessonSettings, hear, make_lessons
from recipes.loss import Speech2FaceLoss
from recipes.model_card import model_card
from recipes.picture_metric import PictureMetric, fit_picture_metric
from recipes.speaker_network import PACKAGE, SpeakerNetwork, load_speaker_network
from recipes.voice_domain import fit_voice_domain
from recipes.voice_stage import VoiceSettings, train_voice_stage
from voxtoon.avatar import AvatarStatistics
from voxtoon.errors import VoxtoonError
from voxtoon_export.checkpoint import save_checkpoint
from voxtoon_export.network import Network
from voxtoon_export.systems import Variant, variant

Log = Callable[[str], None]
PACKAGES = ("torch", "numpy", "safetensors", "soundfile", "pillow")


@dataclass(frozen=True)
class Recipe:
    """Everything that is chosen.

    Attributes
    ----------
    variant
        What is trained.
    channel
        What voices go through.
    taught
        Whether there is a teacher; without one the published voices and faces are all.
    face, lessons, voice
        Settings of the stages.
    """

    variant: str = "speech2face-mel-w4"
    channel: Channel = field(default_factory=Channel)
    taught: bool = True
    face: FaceSettings = field(default_factory=FaceSettings)
    lessons: LessonSettings = field(default_factory=LessonSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)


RECIPES = {
    "default": Recipe(),
    "paper-loss": Recipe(
        variant="speech2face-mel-w8",
        taught=False,
        voice=VoiceSettings(narrow=1, paper_weight=1.0),
    ),
    "paper-front-end": Recipe(
        variant="speech2face-w8",
        lessons=LessonSettings(versions=3, changed=3),
        voice=VoiceSettings(examples=20_000),
    ),
}


@dataclass(frozen=True)
class Trained:
    """A face model, a voice encoder, and their features of the training voices."""

    face: FaceModel
    encoder: Network
    features: NDArray[np.float32]
    avatar: AvatarStatistics


def train(
    corpus: Corpus,
    recipe: Recipe,
    out: Path,
    *,
    network: SpeakerNetwork | None,
    seed: int,
    log: Log = print,
) -> dict[str, Any]:
    """Train, measure on the held-out speakers, and write the checkpoint.

    Parameters
    ----------
    corpus
        All speakers; the held-out ones are only measured.
    recipe, seed
        What is chosen, and where chance starts.
    out
        The checkpoint, ``*.safetensors``.
    network
        The teacher's ear; None trains on the published voices and faces alone.
    log
        Takes lines of progress.

    Returns
    -------
    dict
        The figures, as in the model card.
    """
    chosen = variant(recipe.variant)
    rows = split(corpus)
    training = corpus.take(np.concatenate([rows["training"], rows["validation"]]))
    trained = _train_parts(training, recipe, chosen, network, seed=seed, log=log)
    found = figures(
        trained.face,
        trained.encoder,
        training,
        corpus.take(rows["held_out"]),
        chosen.front_end,
        mean_feature=trained.features.mean(axis=0),
        statistics=trained.avatar,
    )
    card = model_card(
        name=recipe.variant,
        seed=seed,
        data_sha256=corpus.sha256,
        clips=len(training),
        speakers=len(set(training.speakers)),
        packages={name: version(name) for name in PACKAGES},
        teacher=PACKAGE if network else None,
        figures=found,
    )
    _save(out, trained, training, recipe, chosen, card, seed=seed)
    return found


def _train_parts(
    training: Corpus,
    recipe: Recipe,
    chosen: Variant,
    network: SpeakerNetwork | None,
    *,
    seed: int,
    log: Log,
) -> Trained:
    # Two processes that each use every core would mostly wait for each other.
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as beside:
        hearing = beside.submit(
            hear, training.voices, chosen.front_end, network, recipe.lessons, recipe.channel, seed=seed
        )
        face = train_face_stage(training, chosen, recipe.face, seed=seed, log=log)
        heard = hearing.result()
    metric = _picture_metric(face, training)
    lessons = make_lessons(training, heard, face, metric, recipe.lessons, seed=seed)
    log(f"lessons: {', '.join(str(len(lesson.components)) for lesson in lessons)} voices")
    loss = Speech2FaceLoss(face.decoder.get_submodule("trunk_fc"), face.classifier)
    encoder = train_voice_stage(lessons, chosen, loss, metric, recipe.voice, seed=seed, log=log)
    features = features_of_voices(encoder, training, chosen.front_end)
    return Trained(face, encoder, features, avatar_statistics(face, features))


def _picture_metric(face: FaceModel, training: Corpus) -> PictureMetric:
    """Fitted on the reconstructions of voices, plain and exaggerated: near what voices will give."""
    pictures = np.concatenate([training.small(name) for name in PICTURE_SETS[:2]])
    return fit_picture_metric(training.small(TARGET), pictures, face.feature(pictures))


def _save(
    out: Path,
    trained: Trained,
    training: Corpus,
    recipe: Recipe,
    chosen: Variant,
    card: dict[str, Any],
    *,
    seed: int,
) -> None:
    domain = fit_voice_domain(training.voices, recipe.channel, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        out,
        variant=chosen,
        tensors={
            "encoder": trained.encoder.state_dict(),
            "decoder": trained.face.decoder.state_dict(),
            "face_encoder": trained.face.encoder.state_dict(),
        },
        statistics={
            "mean_feature": trained.features.mean(axis=0),
            "feature_std": trained.features.std(axis=0),
            "mean_landmarks": trained.face.mean_landmarks,
            "domain_mean": domain.mean,
            "domain_whitener": domain.whitener,
            "domain_distances": np.array([domain.distance_p50, domain.distance_p99]),
        },
        avatar_statistics=trained.avatar.to_json(),
        model_card=card,
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of published reconstructions")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write, *.safetensors")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="default")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    options = parser.parse_args(arguments)
    started = time.monotonic()

    def log(line: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {line}", flush=True)

    try:
        corpus = load(options.data)
        log(f"read {len(corpus)} clips")
        recipe = RECIPES[options.recipe]
        network = load_speaker_network() if recipe.taught else None
        found = train(corpus, recipe, options.out, network=network, seed=options.seed, log=log)
    except VoxtoonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    log(f"wrote {options.out}; fidelity R2 on kept-out speakers {found['fidelity']['voice']['R2']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
