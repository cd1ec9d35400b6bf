"""Reading a folder of published reconstructions: ``index.csv``, ``audio``, ``face_s2f``, ``face_f2f``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

SAMPLE_RATE_HZ = 16_000
FACE_PX = 224
SMALL_PX = 56  # the side at which fidelity is measured
COLUMNS = ("clip", "speaker")

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """One voice and its two published faces: from the voice (``s2f``), from the true face (``f2f``)."""

    name: str
    speaker: str
    voice: Path
    face_s2f: Path
    face_f2f: Path


def read_index(folder: Path) -> tuple[Clip, ...]:
    """List the clips of a data folder, in the order of its index.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``index.csv``, ``audio/CLIP.flac``, ``face_s2f/CLIP.jpg`` and ``face_f2f/CLIP.jpg``.

    Returns
    -------
    tuple of Clip
        At least one.

    Raises
    ------
    InputError
        If the folder, its index, a column or a file that the index promises is missing.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise InputError("no data to evaluate on", got=folder, expected="a folder with index.csv in it")
    try:
        with index.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("unreadable index", got=f"{index} ({error})", expected="UTF-8 CSV") from error
    for column in COLUMNS:
        if not rows or not all(row.get(column) for row in rows):
            raise InputError("bad index", got=index, expected=f"rows with a {column!r} each")
    return tuple(_clip(folder, row["clip"], row["speaker"]) for row in rows)


def _clip(folder: Path, name: str, speaker: str) -> Clip:
    """Name the files of one clip, and see that they are there."""
    if Path(name).name != name:
        raise InputError("bad clip name in the index", got=repr(name), expected="a plain name")
    clip = Clip(
        name=name,
        speaker=speaker,
        voice=folder / "audio" / f"{name}.flac",
        face_s2f=folder / "face_s2f" / f"{name}.jpg",
        face_f2f=folder / "face_f2f" / f"{name}.jpg",
    )
    for path in (clip.voice, clip.face_s2f, clip.face_f2f):
        if not path.is_file():
            raise InputError("a file of the index is missing", got=path, hint="restore the data folder")
    return clip


def read_voice(path: Path) -> NDArray[np.float32]:
    """Read a clip's voice: mono float32 at 16 kHz.

    Raises
    ------
    InputError
        If the file is not audio, or not 16 kHz mono.
    """
    import soundfile  # type: ignore[import-untyped]

    try:
        samples, rate_hz = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise InputError("not audio", got=path, expected="a FLAC file") from error
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1 or samples.size == 0:
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        got = f"{path}: {samples.shape[0]} samples, {channels} channel(s), {rate_hz} Hz"
        raise InputError("wrong kind of audio", got=got, expected="mono at 16000 Hz")
    return np.asarray(samples, dtype=np.float32)


def read_face(path: Path) -> Image:
    """Read a face at the size it is stored: ``[224, 224, 3]``, RGB in [0, 1].

    Raises
    ------
    InputError
        If the file is not an image, or of another size.
    """
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

    try:
        with PillowImage.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"), dtype=np.float32) / 255.0
    except (UnidentifiedImageError, OSError) as error:
        raise InputError("not an image", got=path, expected="a JPEG file") from error
    if pixels.shape != (FACE_PX, FACE_PX, 3):
        got = f"{path}: {pixels.shape[1]} x {pixels.shape[0]}"
        raise InputError("wrong size of a face", got=got, expected=f"{FACE_PX} x {FACE_PX} pixels")
    return pixels


def shrink(face: Image) -> Image:
    """Average blocks of 4 x 4 pixels: ``[..., 224, 224, 3]`` to ``[..., 56, 56, 3]``."""
    block = FACE_PX // SMALL_PX
    blocks = face.reshape(*face.shape[:-3], SMALL_PX, block, SMALL_PX, block, 3)
    small: Image = blocks.mean(axis=(-4, -2), dtype=np.float32)
    return small
