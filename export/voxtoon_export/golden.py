"""The golden files of a bundle: the sample voice, and what torch and the runtime make of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.golden import FULL_SCALE, avatar_numbers, kept_values, small_image
from voxtoon.manifest import AvatarStatistics, FaceShape
from voxtoon.manifest_json import format_json
from voxtoon_export.parity import Arrays, Clip

FOLDER: Final = "golden/"


def sample_voice() -> Clip:
    """Return the project's synthesised voice: 6 s at 16 kHz, whole steps of 16 bits."""
    from voxtoon.audio import read_audio

    audio = read_audio(Path(__file__).parent / "data" / "voice.flac")
    return Clip("the sample voice", audio.samples)


def golden_files(
    clip: Clip,
    frames: NDArray[np.float32],
    outputs: Mapping[str, Arrays],
    *,
    face: FaceShape,
    statistics: AvatarStatistics | None,
) -> dict[str, tuple[str, bytes]]:
    """Compute the golden files of a bundle.

    Parameters
    ----------
    clip
        Golden audio, in whole steps of 16 bits.
    frames
        What the front end makes of it.
    outputs
        Part name to what the reference made of it.
    face, statistics
        What the image and the avatar are made with; without statistics there is no avatar.

    Returns
    -------
    dict
        Name in the manifest's ``golden`` to path in the bundle and content; `voxtoon.golden` reads them.
    """
    arrays: dict[str, NDArray[Any]] = {
        "audio": np.round(clip.samples * FULL_SCALE).astype(np.int16),
        "frames": kept_values(frames),
    }
    for part, named in outputs.items():
        arrays |= {f"{part}.{name}": kept_values(array) for name, array in named.items()}
    decoded = outputs.get("decoder")
    if decoded is not None:
        arrays["image"] = small_image(decoded, face)
    files = {name: (f"{FOLDER}{name}.npy", _npy(array)) for name, array in arrays.items()}
    if decoded is not None and statistics is not None:
        numbers = avatar_numbers(decoded, face, statistics)
        files["avatar"] = (f"{FOLDER}avatar.json", format_json(numbers).encode())
    return files


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
