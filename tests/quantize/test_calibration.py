"""Which clips a folder gives, in which order, and what is said of those that give none."""

import os
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxtoon.errors import InputError
from voxtoon_export.evaluation.split import is_held_out
from voxtoon_quantize.calibration import CalibrationAudio, over_telephone

DATA = Path(__file__).resolve().parents[2] / "../shared/data/published_reconstructions"
RATE_HZ = 16_000


def tone(frequency_hz=440.0, *, duration_s=0.5, rate_hz=RATE_HZ):
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate_hz)) / rate_hz)


@pytest.fixture
def folder(tmp_path):
    """Three speakers with 3, 2 and 1 clips."""
    rows = [("a1", "ann"), ("a2", "ann"), ("a3", "ann"), ("b1", "bob"), ("b2", "bob"), ("c1", "cleo")]
    for number, (clip, _) in enumerate(rows):
        soundfile.write(tmp_path / f"{clip}.flac", tone(300 + 50 * number), RATE_HZ)
    lines = ["clip,speaker", *(",".join(row) for row in rows)]
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def plain(audio):
    return [clip for clip in audio if not clip.telephone]


def test_speakers_take_turns(folder):
    clips = plain(CalibrationAudio(folder, clips=5))

    assert {clip.speaker for clip in clips[:3]} == {"ann", "bob", "cleo"}
    assert Counter(clip.speaker for clip in clips) == {"ann": 2, "bob": 2, "cleo": 1}


def test_the_same_folder_gives_the_same_clips(folder):
    first, second = (list(CalibrationAudio(folder, clips=4)) for _ in range(2))

    assert [(clip.name, clip.telephone) for clip in first] == [(clip.name, clip.telephone) for clip in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_a_folder_may_be_read_twice(folder):
    audio = CalibrationAudio(folder, clips=4)

    assert [clip.name for clip in audio] == [clip.name for clip in audio]
    assert audio.used == 4


def test_speakers_kept_for_judging_are_left_out(folder):
    clips = list(CalibrationAudio(folder, use_speaker=lambda speaker: speaker != "ann"))

    assert {clip.speaker for clip in clips} == {"bob", "cleo"}
    with pytest.raises(InputError, match="kept for something else"):
        CalibrationAudio(folder, use_speaker=lambda speaker: False)


@pytest.mark.parametrize(("share", "copies"), [(0.0, 0), (0.5, 3), (1.0, 6), (0.34, 2)])
def test_the_share_of_telephone_copies_is_exact(folder, share, copies):
    clips = list(CalibrationAudio(folder, telephone_share=share))

    assert sum(clip.telephone for clip in clips) == copies
    assert len(clips) == 6 + copies


def test_a_telephone_passes_300_hz_and_stops_6_khz():
    passed, stopped = (over_telephone(tone(hz).astype(np.float32)) for hz in (300.0, 6000.0))

    assert np.std(passed) == pytest.approx(np.std(tone(300.0)), rel=0.03)
    assert np.std(stopped) < 0.01
    assert len(passed) == len(tone())
    assert passed.dtype == np.float32


@pytest.mark.parametrize("name", ["voice.wav", "voice.flac", "voice.ogg", "voice.mp3", "VOICE.WAV"])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_every_kind_of_file_comes_at_16_khz(tmp_path, name, rate_hz):
    soundfile.write(tmp_path / name, tone(rate_hz=rate_hz, duration_s=1.0), rate_hz)
    (clip,) = plain(CalibrationAudio(tmp_path))

    assert len(clip.samples) == pytest.approx(RATE_HZ, rel=0.05)


def test_one_broken_file_among_many_is_named_and_counted(folder):
    (folder / "b1.flac").write_bytes(b"not sound")
    (folder / "a2.flac").write_bytes(b"")
    audio = CalibrationAudio(folder)

    assert "b1.flac" not in {clip.name for clip in audio}
    assert audio.used == 4
    assert sorted(skipped.path.name for skipped in audio.skipped) == ["a2.flac", "b1.flac"]
    assert all(skipped.path.name in skipped.reason for skipped in audio.skipped)


def test_what_needs_ffmpeg_says_so_where_there_is_none(folder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (folder / "memo.m4a").write_bytes(b"\0" * 64)
    audio = CalibrationAudio(folder)
    list(audio)

    assert [skipped.path.name for skipped in audio.skipped] == ["memo.m4a"]
    assert "install ffmpeg" in audio.skipped[0].reason


def test_nothing_but_silence_is_an_error(tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(8000), RATE_HZ)

    with pytest.raises(InputError, match=r"no usable recording among the 3 of .*silent"):
        list(CalibrationAudio(tmp_path))


def test_an_empty_folder_says_what_it_wants(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")

    with pytest.raises(InputError, match=r"no sound file in .*expected a folder of voices \(\.wav"):
        CalibrationAudio(tmp_path)


def test_no_folder_at_all_says_what_it_wants(tmp_path):
    with pytest.raises(InputError, match=r"no folder .*expected a folder of voices"):
        CalibrationAudio(tmp_path / "missing")


@contextmanager
def no_rights():
    """Be somebody whom nothing belongs to: what tests write, and root, may be read by root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="needs the rights of POSIX")
@pytest.mark.parametrize("place", ["", "inner"])
def test_a_folder_that_may_not_be_read_is_told(tmp_path, place):
    folder = tmp_path / "shut"
    (folder / "inner").mkdir(parents=True)
    folder.chmod(0)
    try:
        with no_rights(), pytest.raises(InputError, match="the calibration folder cannot be read"):
            CalibrationAudio(folder / place)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"name,who\nx,y\n"])
def test_an_index_that_cannot_be_read_is_an_error(folder, content):
    (folder / "index.csv").write_bytes(content)

    with pytest.raises(InputError, match="unreadable index"):
        CalibrationAudio(folder)


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"telephone_share": 1.5}, {"telephone_share": -0.1}])
def test_numbers_out_of_range_are_refused(folder, wrong):
    with pytest.raises(InputError, match="expected"):
        CalibrationAudio(folder, **wrong)


@pytest.mark.skipif(not DATA.is_dir(), reason="the published reconstructions are not here")
def test_real_voices_come_from_as_many_speakers_as_clips():
    clips = plain(CalibrationAudio(DATA, clips=8, use_speaker=lambda speaker: not is_held_out(speaker)))

    assert len({clip.speaker for clip in clips}) == 8
    assert not any(is_held_out(clip.speaker) for clip in clips)
