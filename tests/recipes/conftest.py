"""Twelve painted faces and voices of hums: a corpus small enough for seconds."""

import numpy as np
import pytest

from recipes.dataset import PICTURE_SETS, Corpus
from tests.faces import upright_face

# Four of these are held out and two are for validation, by their names.
SPEAKERS = [f"spk{number:04d}" for number in (0, 1, 2, 3, 4, 5, 6, 7, 9, 14, 14, 21)]


@pytest.fixture(scope="session")
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
