"""The default model again, from the data folder to a checkpoint, by one command.

``python -m recipes.train --data DIR --out recipes/checkpoints/speech2face-mel-w4.safetensors``
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.augment import Channel, Samples, stretch
from recipes.dataset import PICTURE_SETS, TARGET, Corpus, load, split
from recipes.face_stage import FaceModel, FaceSettings, train_face_stage
from recipes.figures import avatar_statistics, features_of_voices, figures
from recipes.head_stage import HeadSettings, face_targets, train_head_stage
from recipes.loss import Speech2FaceLoss
from recipes.model_card import model_card
from recipes.picture_metric import PictureMetric, fit_picture_metric
from recipes.pool import Pool, make_pool
from recipes.teachers import TeacherSettings, opinion, train_teachers
from recipes.voice_domain import fit_voice_domain
from recipes.voice_stage import VoiceSettings, VoiceTargets, opinion_of, train_voice_stage
from voxtoon.avatar import AvatarStatistics
from voxtoon.errors import VoxtoonError
from voxtoon.front_end import LOG_MEL, FrontEndSpec
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
    channel, versions
        Of the pool of voices.
    face, teachers, voice
        Settings of the stages.
    teacher_share
        Of the teachers' opinion in the voice's target; 0 trains no teachers.
    stretched
        Whether each voice is also there as another one, stretched, for which the teachers stand alone.
    second, own_share
        Settings of a second round, in which the encoder starts as it is and its own opinion has this share.
    head
        Settings of the last stage, in which the encoder's last layers learn through the decoder.
    """

    variant: str = "speech2face-mel-w4"
    channel: Channel = field(default_factory=Channel)
    versions: int = 12
    face: FaceSettings = field(default_factory=FaceSettings)
    teachers: TeacherSettings = field(default_factory=TeacherSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    teacher_share: float = 0.5
    stretched: bool = True
    second: VoiceSettings | None = field(default_factory=lambda: VoiceSettings(epochs=14, learning_rate=7e-4))
    own_share: float = 1 / 3
    head: HeadSettings = field(default_factory=HeadSettings)


RECIPES = {
    "default": Recipe(),
    "paper-loss": Recipe(
        variant="speech2face-mel-w8",
        voice=VoiceSettings(paper_weight=1.0, picture_weight=0.0),
        teacher_share=0.0,
        second=None,
        head=HeadSettings(epochs=0),
    ),
    "paper-front-end": Recipe(
        variant="speech2face-w8",
        versions=4,
        voice=VoiceSettings(epochs=36, clean=0.15),
        stretched=False,
        second=None,
    ),
}


@dataclass(frozen=True)
class Trained:
    """A face model, a voice encoder, and their features of the training voices."""

    face: FaceModel
    encoder: Network
    features: NDArray[np.float32]
    avatar: AvatarStatistics


def train(corpus: Corpus, recipe: Recipe, out: Path, *, seed: int, log: Log = print) -> dict[str, Any]:
    """Train, measure on the held-out speakers, and write the checkpoint.

    Parameters
    ----------
    corpus
        All speakers; the held-out ones are only measured.
    recipe, seed
        What is chosen, and where chance starts.
    out
        The checkpoint, ``*.safetensors``.
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
    trained = _train_parts(training, recipe, chosen, seed=seed, log=log)
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
        figures=found,
    )
    _save(out, trained, training, recipe, chosen, card, seed=seed)
    return found


def _train_parts(training: Corpus, recipe: Recipe, chosen: Variant, *, seed: int, log: Log) -> Trained:
    face = train_face_stage(training, chosen, recipe.face, seed=seed, log=log)
    metric = _picture_metric(face, training)
    pool, components = _voices(training, metric, recipe, chosen, seed=seed, log=log)
    targets = VoiceTargets(face.feature(training.small(TARGET)), components)
    loss = Speech2FaceLoss(face.decoder.get_submodule("trunk_fc"), face.classifier)
    encoder = train_voice_stage(pool, targets, chosen, loss, metric, recipe.voice, seed=seed, log=log)
    if recipe.second is not None:
        own = opinion_of(encoder, pool, metric)
        targets = replace(targets, components=torch.lerp(components, own, recipe.own_share))
        encoder = train_voice_stage(
            pool, targets, chosen, loss, metric, recipe.second, seed=seed + 1, start=encoder, log=log
        )
    drawn = face_targets(training, face.mean_landmarks)
    train_head_stage(encoder, face.decoder, pool, drawn, recipe.head, seed=seed, log=log)
    features = features_of_voices(encoder, training, chosen.front_end)
    return Trained(face, encoder, features, avatar_statistics(face, features))


def _picture_metric(face: FaceModel, training: Corpus) -> PictureMetric:
    """Fitted on the reconstructions of voices, plain and exaggerated: near what voices will give."""
    pictures = np.concatenate([training.small(name) for name in PICTURE_SETS[:2]])
    return fit_picture_metric(training.small(TARGET), pictures, face.feature(pictures))


def _voices(
    training: Corpus, metric: PictureMetric, recipe: Recipe, chosen: Variant, *, seed: int, log: Log
) -> tuple[Pool, Tensor]:
    """Frames of the training voices and what their pictures' components are to be.

    With teachers the components are blends of the published faces' and the teachers' opinion, and stretched
    voices, of which the opinion is all there is, follow. Teachers hear log-mel frames in any case.
    """

    def frames(voices: list[Samples], spec: FrontEndSpec, versions: int) -> Pool:
        return make_pool(voices, spec, versions=versions, channel=recipe.channel, seed=seed)

    spec = chosen.front_end
    pool = frames(training.voices, spec, recipe.versions)
    truth = metric.components_of(training.small(TARGET))
    if recipe.teacher_share == 0.0:
        return pool, truth
    heard = pool if spec == LOG_MEL else frames(training.voices, LOG_MEL, TeacherSettings.versions)
    companions = metric.components_of(training.small(PICTURE_SETS[1]))
    teachers = train_teachers(heard, truth, companions, recipe.teachers, seed=seed, log=log)
    taught = opinion(teachers, heard.frames[:, 0], components=truth.shape[1])
    blended = torch.lerp(truth, taught, recipe.teacher_share)
    if not recipe.stretched:
        return pool, blended
    voices = [
        stretch(voice, np.random.default_rng([seed, number])) for number, voice in enumerate(training.voices)
    ]
    others = frames(voices, spec, recipe.versions)
    clean = others.frames[:, 0] if spec == LOG_MEL else frames(voices, LOG_MEL, 1).frames[:, 0]
    guessed = opinion(teachers, clean, components=truth.shape[1])
    return pool + others, torch.cat([blended, guessed])


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
        found = train(corpus, RECIPES[options.recipe], options.out, seed=options.seed, log=log)
    except VoxtoonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    log(f"wrote {options.out}; fidelity R2 on kept-out speakers {found['fidelity']['voice']['R2']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
