"""`voxtoon stream`: PCM in, one line per update out."""

import io
import json
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from voxtoon.cli import main
from voxtoon.resample import resample


@pytest.fixture(scope="module")
def call(sample_voice):
    """The sample voice over a telephone: 8 kHz, 16 bit."""
    narrow = resample(sample_voice.samples, from_hz=16_000, to_hz=8_000)
    return np.round(np.clip(narrow, -1, 1) * 32_767).astype("<i2").tobytes()


@pytest.fixture
def stream(tiny_bundle, capsys, monkeypatch):
    """Run the command in-process with the tiny bundle; exit code, standard output, standard error."""

    def run(pcm, *words):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pcm)))
        code = main(["stream", *map(str, words), "--bundle", str(tiny_bundle)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_each_update_is_a_line_and_the_end_is_one(stream, call):
    code, out, err = stream(call)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "1.0 s draft: 1.0 s of speech, confidence 0.40, telephone sound"
    assert lines[-1].startswith("6.0 s end: ")
    assert any(" stable: " in line for line in lines)


def test_json_lines_are_objects(stream, call):
    code, out, _ = stream(call, "--json")
    updates = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [update["final"] for update in updates] == [False] * (len(updates) - 1) + [True]
    heard = [update["heard_s"] for update in updates]
    assert heard == sorted(heard)
    assert {update["reason"] for update in updates} == {"ok"}


def test_the_avatar_of_each_update_is_written(stream, call, tmp_path):
    folder = tmp_path / "new" / "avatars"
    code, out, _ = stream(call, "--json", "--avatar-dir", folder)
    written = [json.loads(line)["avatar"] for line in out.splitlines()]
    assert code == 0
    assert written == [str(path) for path in sorted(folder.iterdir())]
    assert written[0].endswith("avatar-0001.svg")


def test_the_avatar_is_drawn_again_and_again_as_it_moves(stream, call, tmp_path, monkeypatch):
    from voxtoon.avatar import Avatar

    path, drawn, save = tmp_path / "now.svg", [], Avatar.save

    def saved(avatar, place):
        drawn.append(avatar.parameters)
        return save(avatar, place)

    monkeypatch.setattr(Avatar, "save", saved)
    code, out, _ = stream(call, "--json", "--avatar", path)
    assert code == 0
    assert len(drawn) > 2 * len(out.splitlines())
    assert path.read_text() == Avatar(drawn[-1]).svg
    steps = [
        max(abs(value - before.numbers()[name]) for name, value in after.numbers().items())
        for before, after in pairwise(drawn[:-1])
    ]
    assert max(steps) < 0.6  # of a range of 2, though random weights move a face all the way


def test_a_channel_of_many_can_be_heard(stream, call):
    samples = np.frombuffer(call, "<i2")
    pair = np.column_stack([np.zeros_like(samples), samples]).tobytes()
    assert stream(pair, "--channels", 2, "--channel", 1)[1] == stream(call)[1]
    assert "0.0 s of speech" in stream(pair, "--channels", 2)[1]


def test_updates_come_as_often_as_asked(stream, call):
    often = stream(call, "--update-every", 0.25)[1].splitlines()
    seldom = stream(call, "--update-every", 2)[1].splitlines()
    assert len(often) > 2 * len(seldom)


@pytest.mark.parametrize("form", ["f32le", "mulaw", "alaw"])
def test_other_formats_are_heard_alike(stream, call, form):
    from voxtoon.pcm import PCM_FORMATS, a_law_table, mu_law_table

    samples = PCM_FORMATS["s16le"].decode(call)
    tables = {"mulaw": mu_law_table, "alaw": a_law_table}
    if form == "f32le":
        pcm = samples.astype("<f4").tobytes()
    else:
        table = tables[form]()
        pcm = np.abs(samples[:, None] - table).argmin(axis=1).astype(np.uint8).tobytes()
    code, out, _ = stream(pcm, "--format", form, "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["speech_s"] == pytest.approx(5.9, abs=0.3)


def test_silence_ends_with_the_neutral_avatar(stream):
    code, out, _ = stream(bytes(2 * 8_000 * 3))
    assert code == 0
    assert out == (
        "3.0 s end: 0.0 s of speech, confidence 0.00: too little speech, so the avatar is the neutral one\n"
    )


@pytest.mark.parametrize("pcm", [b"", b"\0"], ids=["nothing", "half a sample"])
def test_no_samples_are_no_update(stream, pcm):
    assert stream(pcm) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rate", "100"), "sample rate: got 100 Hz"),
        (("--format", "s24le"), "PCM format: got 's24le', expected s16le, f32le, mulaw, alaw"),
        (("--update-every", "0"), "update_every_speech_s: got 0.0, expected above 0 s"),
        (("--avatar-dir", "/dev/null/avatars"), "cannot make the folder"),
        (("--avatar", "avatar.jpg"), "avatar file: got 'avatar.jpg', expected a name that ends in .svg"),
        (("--avatar", "/nowhere/avatar.svg"), "cannot write /nowhere/avatar.svg: got no such folder"),
        (("--channels", "2", "--channel", "2"), "channel 2: expected 0 to 1, for 2 channels"),
        (("--engine", "abacus"), "unknown engine"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_2(stream, call, words, message):
    code, out, err = stream(call, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_numbers_that_are_none_are_refused(stream):
    code, _, err = stream(np.full(100, np.nan, "<f4").tobytes(), "--format", "f32le")
    assert code == 2
    assert "NaN or infinity" in err


def test_a_real_process_hears_a_real_pipe(tiny_bundle, call, tmp_path):
    command = [sys.executable, "-m", "voxtoon", "stream", "--json", "--bundle", str(tiny_bundle)]
    done = subprocess.run(command, input=call, capture_output=True, cwd=tmp_path, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["final"] is True
    assert done.stderr == b""
    assert list(tmp_path.iterdir()) == []
