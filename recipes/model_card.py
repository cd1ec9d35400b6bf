"""The model card of the default model, as JSON in its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEACHER = (
    "a published network that tells speakers apart ({}, Apache-2.0) described the training voices; its "
    "makers trained it on LibriSpeech and VoxCeleb, so it may have heard other recordings of some speakers "
    "here, kept-out ones among them, though never a face"
)


def model_card(
    *,
    name: str,
    seed: int,
    data_sha256: str,
    clips: int,
    speakers: int,
    packages: Mapping[str, str],
    teacher: str | None,
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    """What the model is, what it was made from, how good it is, and what it must not be used for.

    Parameters
    ----------
    name, seed, data_sha256, clips, speakers, packages
        Of the training.
    teacher
        The package whose network was the teacher's ear, or None.
    figures
        On kept-out speakers.
    """
    return {
        "name": name,
        "what it is": (
            "A research demonstration: a small Speech2Face (Oh et al., CVPR 2019) that learns the published "
            "reconstructions of the paper's project page, not photographs. It says nothing about how a "
            "person looks that the published network did not already guess."
        ),
        "training data": {
            "origin": (
                "6-second voice clips (AVSpeech, VoxCeleb) and the faces that the authors' own network "
                "reconstructed from them, from the project page of the paper; no photograph of any speaker"
            ),
            "clips": clips,
            "speakers": speakers,
            "sha256": data_sha256,
            "teacher": _TEACHER.format(teacher) if teacher else None,
            "population": (
                "Public speakers on video platforms: not representative of any population, and never asked"
            ),
        },
        "training": {"seed": seed, "packages": dict(packages)},
        "figures on kept-out speakers": dict(figures),
        "intended_use": (
            "Research and demonstration: a cartoon that accompanies a voice, drawn on the device. A cartoon, "
            "not a likeness."
        ),
        "limits": (
            "Faces are close to the average one; the model cannot recover what a person looks like and must "
            "not be used to recognise, judge or describe anybody. It inherits the biases of the published "
            "network: hair, skin and shape may follow stereotypes in its training data, high voices of boys "
            "and languages it rarely heard mislead it, and it was not tested for any particular population. "
            "Music, noise and several talkers at once give faces without meaning."
        ),
        "licence": (
            "Apache-2.0 for the weights, as far as we have rights in them; they were computed from published "
            "results of the paper, whose authors' terms may restrict other uses."
        ),
    }
