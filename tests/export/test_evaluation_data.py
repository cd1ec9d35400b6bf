import numpy as np
import pytest
import soundfile
from PIL import Image

from voxtoon.errors import InputError
from voxtoon_export.evaluation.data import read_face, read_index, read_voice, shrink


@pytest.fixture
def folder(tmp_path):
    """A data folder of two clips."""
    for name in ("audio", "face_s2f", "face_f2f"):
        (tmp_path / name).mkdir()
    for clip, level in (("one", 40), ("two", 200)):
        soundfile.write(tmp_path / "audio" / f"{clip}.flac", np.full(16000, 0.25), 16000)
        for faces in ("face_s2f", "face_f2f"):
            Image.new("RGB", (224, 224), (level, 100, 0)).save(tmp_path / faces / f"{clip}.jpg")
    (tmp_path / "index.csv").write_text("clip,speaker,samples\none,spk1,16000\ntwo,spk2,16000\n")
    return tmp_path


def test_the_index_lists_clips_with_their_speakers_and_files(folder):
    one, two = read_index(folder)
    assert (one.name, one.speaker, two.speaker) == ("one", "spk1", "spk2")
    assert read_voice(one.voice).shape == (16000,)
    assert read_face(two.face_f2f).shape == (224, 224, 3)


def test_faces_are_rgb_between_0_and_1(folder):
    colour = read_face(read_index(folder)[0].face_s2f).mean(axis=(0, 1))
    assert colour == pytest.approx([40 / 255, 100 / 255, 0.0], abs=0.02)


def test_shrinking_averages_blocks_and_keeps_the_colours_apart():
    face = np.zeros((224, 224, 3), np.float32)
    face[:4, 4:8, 1] = 1.0  # one whole block
    face[0, 0, 2] = 1.0  # a sixteenth of one
    small = shrink(face)
    assert small.shape == (56, 56, 3)
    assert small[0, 1].tolist() == [0.0, 1.0, 0.0]
    assert small[0, 0].tolist() == [0.0, 0.0, 1 / 16]
    assert small.sum() == pytest.approx(1 + 1 / 16)


@pytest.mark.parametrize(
    ("index", "complaint"),
    [
        (None, "no data to evaluate on"),
        ("", "bad index"),
        ("clip,speaker\n", "bad index"),
        ("clip,samples\none,16000\n", "'speaker'"),
        ("clip,speaker\n../one,spk1\n", "bad clip name"),
        ("clip,speaker\nthree,spk3\n", "missing"),
        (b"\xff\xfe\x00", "unreadable index"),
    ],
)
def test_a_bad_folder_is_refused_with_what_is_wrong(folder, index, complaint):
    (folder / "index.csv").unlink()
    if index is not None:
        (folder / "index.csv").write_bytes(index if isinstance(index, bytes) else index.encode())
    with pytest.raises(InputError, match=complaint) as caught:
        read_index(folder)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_what_they_should_be_are_refused(folder):
    (folder / "noise.jpg").write_bytes(b"no image")
    with pytest.raises(InputError, match="not an image"):
        read_face(folder / "noise.jpg")
    Image.new("RGB", (60, 40)).save(folder / "small.png")
    with pytest.raises(InputError, match="60 x 40"):
        read_face(folder / "small.png")
    (folder / "noise.flac").write_bytes(b"no sound")
    with pytest.raises(InputError, match="not audio"):
        read_voice(folder / "noise.flac")
    soundfile.write(folder / "stereo.flac", np.zeros((100, 2)), 8000)
    with pytest.raises(InputError, match=r"2 channel\(s\), 8000 Hz"):
        read_voice(folder / "stereo.flac")
