"""The published reconstructions as arrays, split by speaker."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.landmarks import find_landmarks
from voxtoon.errors import InputError
from voxtoon_export.evaluation.split import is_held_out, is_validation

PICTURE_SETS = ("face_s2f", "face_s2f_exg0.7", "face_f2f")
TARGET = "face_s2f"
SMALL_PX = 56


@dataclass(frozen=True)
class Corpus:
    """Clips with their faces, in the order of the clips' names.

    Attributes
    ----------
    clips, speakers
        Names; speakers are anonymous.
    voices
        One float32 array of 16 kHz samples in [-1, 1] per clip, of its own length.
    pictures
        Of each picture set, uint8 [n, 224, 224, 3].
    landmarks
        Of each picture set, float32 [n, 68, 2] in pixels.
    sha256
        Of everything that was read.
    """

    clips: list[str]
    speakers: list[str]
    voices: list[NDArray[np.float32]]
    pictures: dict[str, NDArray[np.uint8]]
    landmarks: dict[str, NDArray[np.float32]]
    sha256: str

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, rows: NDArray[np.intp]) -> Corpus:
        """The corpus of these rows only."""
        return Corpus(
            clips=[self.clips[row] for row in rows],
            speakers=[self.speakers[row] for row in rows],
            voices=[self.voices[row] for row in rows],
            pictures={name: pictures[rows] for name, pictures in self.pictures.items()},
            landmarks={name: points[rows] for name, points in self.landmarks.items()},
            sha256=self.sha256,
        )

    def small(self, picture_set: str) -> NDArray[np.float32]:
        """Pictures by area at 56 x 56, float32 [n, 56, 56, 3] in [0, 1]."""
        return shrink((self.pictures[picture_set] / 255).astype(np.float32))


def shrink(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images [n, 224, 224, 3] by area at 56 x 56."""
    factor = images.shape[1] // SMALL_PX
    blocks = images.reshape(len(images), SMALL_PX, factor, SMALL_PX, factor, 3)
    return np.asarray(blocks.mean(axis=(2, 4)), np.float32)


def split(corpus: Corpus) -> dict[str, NDArray[np.intp]]:
    """Rows for ``training``, ``validation`` and ``held_out``; no speaker is in two of them."""

    def role(speaker: str) -> str:
        return "held_out" if is_held_out(speaker) else "validation" if is_validation(speaker) else "training"

    roles = np.array([role(speaker) for speaker in corpus.speakers])
    return {name: np.flatnonzero(roles == name) for name in ("training", "validation", "held_out")}


def load(folder: Path, *, clips: int | None = None) -> Corpus:
    """Read the data folder and find the landmarks of its faces.

    Parameters
    ----------
    folder
        With ``index.csv``, ``audio`` and the picture sets.
    clips
        Read only so many, the first by name.

    Raises
    ------
    InputError
        If the folder is not such a one.
    """
    import soundfile as sf  # type: ignore[import-untyped]
    from PIL import Image

    index = folder / "index.csv"
    if not index.is_file():
        raise InputError("no index.csv in the data folder", got=folder, hint="give --data the folder with it")
    with index.open(newline="") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: row["clip"])[:clips]
    digest = hashlib.sha256()

    def hashed(path: Path) -> Path:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
        return path

    audio = [hashed(folder / "audio" / f"{row['clip']}.flac") for row in rows]
    files = {name: [hashed(folder / name / f"{row['clip']}.jpg") for row in rows] for name in PICTURE_SETS}
    return Corpus(
        clips=[row["clip"] for row in rows],
        speakers=[row["speaker"] for row in rows],
        voices=[sf.read(path, dtype="float32")[0] for path in audio],
        pictures={
            name: np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
            for name, paths in files.items()
        },
        landmarks={name: find_landmarks(paths) for name, paths in files.items()},
        sha256=digest.hexdigest(),
    )
