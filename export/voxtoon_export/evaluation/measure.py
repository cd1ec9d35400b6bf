"""Running a bundle over the clips of a data folder: everything the tables are computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError
from voxtoon_export.evaluation.data import SAMPLE_RATE_HZ, Clip, read_face, read_voice, shrink
from voxtoon_export.evaluation.fidelity import PrincipalComponents, fit_components

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.face import Face

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

LENGTHS_S = (3.0, 6.0)  # of the voice, as in the paper's tables
COMPONENTS = 5


@dataclass(frozen=True)
class FaceSide:
    """What the face encoder makes of the published faces: features ``[N, D]``, landmarks ``[N, 68, 2]``."""

    feature_s2f: Floats
    feature_f2f: Floats
    landmarks_s2f: Floats
    landmarks_f2f: Floats


@dataclass(frozen=True)
class Measured:
    """One row per evaluated clip, in every array.

    Attributes
    ----------
    speakers
        Who speaks.
    published, drawn
        ``[N, 56, 56, 3]``, the published face of the voice, and the bundle's.
    features
        ``[N, D]`` by the seconds of voice that were heard, see `LENGTHS_S`.
    landmarks
        ``[N, 68, 2]`` of the drawn face.
    mean_feature
        ``[D]``, the bundle's mean face as a feature.
    avatars
        ``[N, P]`` parameters at full confidence; None where the bundle has no avatar statistics.
    faces
        None where the bundle has no face encoder.
    """

    speakers: tuple[str, ...]
    published: Floats
    drawn: Floats
    features: Mapping[float, Floats]
    landmarks: Floats
    mean_feature: Floats
    avatars: Floats | None
    faces: FaceSide | None


def training_components(clips: Sequence[Clip]) -> PrincipalComponents:
    """Mean and main directions of the published faces of the training speakers, at 56 x 56."""
    return fit_components(np.stack([shrink(read_face(clip.face_s2f)) for clip in clips]), count=COMPONENTS)


def measure_bundle(
    bundle: Bundle,
    clips: Sequence[Clip],
    *,
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Measured:
    """Give every voice to a bundle, and keep what comes out at each stage.

    Faces are decoded as they are: without exaggeration, whatever the confidence.

    Parameters
    ----------
    bundle : voxtoon.Bundle
        An open bundle.
    clips : sequence of Clip
        The clips to run.
    engine, precision, threads
        As for `voxtoon.Bundle.pipeline`.
    progress : callable, optional
        Called with the number of clips done and their total.

    Returns
    -------
    Measured
        One row per clip.

    Raises
    ------
    InputError
        If a file of the data folder is not what it should be, or the bundle's faces have no landmarks.
    """
    pipeline = bundle.pipeline(engine=engine, precision=precision, threads=threads)
    features: dict[float, list[Floats]] = {length_s: [] for length_s in LENGTHS_S}
    drawn, landmarks, avatars = [], [], []
    for done, clip in enumerate(clips, start=1):
        voice = read_voice(clip.voice)
        for length_s, found in features.items():
            heard = voice[: round(length_s * SAMPLE_RATE_HZ)]
            found.append(pipeline.feature(heard, sample_rate=SAMPLE_RATE_HZ))
        face = pipeline.decode(features[LENGTHS_S[-1]][-1])
        if face.landmarks is None:
            raise InputError(
                "this bundle cannot be evaluated", got="faces without landmarks", expected="landmarks"
            )
        drawn.append(shrink(face.image))
        landmarks.append(face.landmarks)
        avatars.append(_avatar(face))
        if progress is not None:
            progress(done, len(clips))
    return Measured(
        speakers=tuple(clip.speaker for clip in clips),
        published=np.stack([shrink(read_face(clip.face_s2f)) for clip in clips]),
        drawn=np.stack(drawn),
        features={length_s: np.stack(found) for length_s, found in features.items()},
        landmarks=np.stack(landmarks),
        mean_feature=_mean_feature(bundle, len(features[LENGTHS_S[-1]][-1])),
        avatars=None if any(row is None for row in avatars) else np.array(avatars, np.float32),
        faces=_face_side(bundle, clips, engine=engine, threads=threads),
    )


def _mean_feature(bundle: Bundle, size: int) -> Floats:
    """The bundle's mean feature; the origin where it names none."""
    mean = bundle.manifest.face.mean_feature
    return np.zeros(size, np.float32) if mean is None else np.asarray(mean, np.float32)


def _avatar(face: Face) -> list[float] | None:
    """The numbers an avatar is drawn from, with no hold on the differences for want of confidence."""
    from voxtoon.avatar import face_parameters

    if face.avatar_statistics is None:
        return None
    return list(face_parameters(face, statistics=face.avatar_statistics).numbers().values())


def _face_side(bundle: Bundle, clips: Sequence[Clip], *, engine: str, threads: int | None) -> FaceSide | None:
    """Encode the published faces and decode them again, where the bundle can."""
    if "face_encoder" not in {part.name for part in bundle.manifest.parts}:
        return None
    encoder = bundle.session("face_encoder", engine=engine, threads=threads)
    decoder = bundle.session("decoder", engine=engine, threads=threads)

    def encode(paths: Sequence[Path]) -> tuple[Floats, Floats]:
        features, landmarks = [], []
        for path in paths:
            feature = encoder.run({"image": shrink(read_face(path))[None]})["feature"]
            features.append(feature[0])
            landmarks.append(decoder.run({"feature": feature})["landmarks"][0])
        return np.stack(features), np.stack(landmarks)

    feature_s2f, landmarks_s2f = encode([clip.face_s2f for clip in clips])
    feature_f2f, landmarks_f2f = encode([clip.face_f2f for clip in clips])
    return FaceSide(feature_s2f, feature_f2f, landmarks_s2f, landmarks_f2f)
