"""What a data folder knows of its voices besides their sound: the published face, and the true one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .quality import Truth

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle


def truth_of(bundle: Bundle, voices: Sequence[Path]) -> Truth:
    """Find the faces of recordings, beside the folder they lie in: ``face_s2f`` and ``face_f2f``.

    Parameters
    ----------
    bundle
        Its face encoder, where it has one, makes features of the true faces.
    voices
        The files; only where all have a face, faces are known.
    """
    published, true = (
        [voice.parent.parent / folder / f"{voice.stem}.jpg" for voice in voices]
        for folder in ("face_s2f", "face_f2f")
    )
    if not all(path.is_file() for path in published):
        return Truth()
    from voxtoon_export.evaluation.data import read_face, shrink

    faces = np.stack([shrink(read_face(path)) for path in published])
    has_encoder = any(part.name == "face_encoder" for part in bundle.manifest.parts)
    if not has_encoder or not all(path.is_file() for path in true):
        return Truth(faces=faces)
    session = bundle.session("face_encoder", precision="fp32")
    features = [session.run({"image": shrink(read_face(path))[None]})["feature"][0] for path in true]
    return Truth(faces=faces, features=np.stack(features))
