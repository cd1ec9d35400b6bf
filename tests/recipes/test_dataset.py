from pathlib import Path

import numpy as np
import pytest

from recipes.dataset import Corpus, load, shrink, split
from voxtoon.errors import InputError


def corpus_of(speakers):
    count = len(speakers)
    return Corpus(
        clips=[f"clip{number}" for number in range(count)],
        speakers=list(speakers),
        voices=[np.full(number + 1, 0.1, np.float32) for number in range(count)],
        pictures={"face_s2f": np.zeros((count, 224, 224, 3), np.uint8)},
        landmarks={"face_s2f": np.zeros((count, 68, 2), np.float32)},
        sha256="0",
    )


def test_every_clip_has_one_role_and_every_speaker_too():
    corpus = corpus_of([f"spk{number % 300:04d}" for number in range(700)])
    rows = split(corpus)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(700))
    speakers = {role: {corpus.speakers[row] for row in chosen} for role, chosen in rows.items()}
    assert not speakers["training"] & speakers["held_out"]
    assert not speakers["training"] & speakers["validation"]
    assert not speakers["validation"] & speakers["held_out"]
    assert all(speakers.values())


def test_taking_rows_keeps_everything_together():
    corpus = corpus_of(["a", "b", "c"])
    taken = corpus.take(np.array([2, 0]))
    assert taken.clips == ["clip2", "clip0"]
    assert taken.speakers == ["c", "a"]
    assert [len(voice) for voice in taken.voices] == [3, 1]
    assert taken.pictures["face_s2f"].shape == (2, 224, 224, 3)


def test_shrinking_averages_blocks():
    image = np.zeros((1, 224, 224, 3), np.float32)
    image[0, 4:8, 8:12, 1] = np.arange(16, dtype=np.float32).reshape(4, 4)
    small = shrink(image)
    assert small.shape == (1, 56, 56, 3)
    assert small[0, 1, 2, 1] == pytest.approx(7.5)
    assert small.sum() == pytest.approx(7.5)


def test_a_folder_without_an_index_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"index\.csv"):
        load(tmp_path)
