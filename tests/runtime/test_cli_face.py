"""`voxtoon face`: from a sound file to a drawing, or one clear line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxtoon.cli import main

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "voice.flac"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def face(tiny_bundle, capsys):
    """Run the command in-process with the tiny bundle; exit code, standard output, standard error."""

    def run(*words):
        code = main(["face", *map(str, words), "--bundle", str(tiny_bundle)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def recording(tmp_path):
    """Write samples as a sound file."""

    def write(samples, rate=16_000, name="call.wav", subtype="FLOAT"):
        path = tmp_path / name
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return write


def test_a_voice_is_drawn_into_the_working_folder(face, working_folder):
    code, out, err = face(SAMPLE)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "5.9 s of speech, confidence 1.00",
        "wrote avatar.svg: a cartoon, not a likeness",
    ]
    assert (working_folder / "avatar.svg").read_text().lstrip().startswith("<")
    assert [path.name for path in working_folder.iterdir()] == ["avatar.svg"]


def test_avatar_and_face_are_written_where_asked(face, tmp_path):
    avatar, image = tmp_path / "a.png", tmp_path / "f.png"
    code, out, _ = face(SAMPLE, "-o", avatar, "--image", image)
    assert code == 0
    assert avatar.read_bytes().startswith(PNG)
    assert image.read_bytes().startswith(PNG)
    assert f"wrote {avatar} and {image}: " in out


def test_json_is_one_object(face):
    code, out, _ = face(SAMPLE, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["avatar"] == "avatar.svg"
    assert told["image"] is None
    assert told["reason"] == "ok"
    assert told["caption"] == "a cartoon, not a likeness"
    assert len(told["landmarks"]) == 68
    assert told["parameters"]["skin"] == "neutral"


def test_the_same_voice_is_drawn_the_same(face, working_folder):
    face(SAMPLE, "-o", "one.svg")
    face(SAMPLE, "-o", "two.svg", "--threads", 2)
    assert (working_folder / "one.svg").read_bytes() == (working_folder / "two.svg").read_bytes()


@pytest.mark.parametrize(
    "options",
    [("--gain", 0), ("--hair", "neutral"), ("--skin", "reconstructed"), ("--exaggeration", 1.4)],
)
def test_drawing_options_change_the_drawing(face, working_folder, options):
    face(SAMPLE, "-o", "plain.svg")
    assert face(SAMPLE, "-o", "other.svg", *options)[0] == 0
    assert (working_folder / "plain.svg").read_bytes() != (working_folder / "other.svg").read_bytes()


def shaped(samples, rate=16_000):
    return np.asarray(samples, np.float32), rate


VOICE, RATE_HZ = soundfile.read(SAMPLE, dtype="float32")
STILL_A_VOICE = {
    "clipped": shaped(np.clip(VOICE * 50, -1, 1)),
    "quiet": shaped(VOICE * 0.01),
    "stereo": shaped(np.column_stack([VOICE, np.zeros_like(VOICE)])),
    "eight channels": shaped(np.column_stack([VOICE, *[np.zeros_like(VOICE)] * 7])),
    "4 kHz": shaped(VOICE[::4], 4_000),
    "192 kHz": shaped(np.repeat(VOICE, 12), 192_000),
    "an odd rate": shaped(VOICE, 15_999),
}


@pytest.mark.parametrize("kind", STILL_A_VOICE)
def test_a_voice_in_an_unusual_file_is_heard(face, recording, kind):
    samples, rate = STILL_A_VOICE[kind]
    code, out, err = face(recording(samples, rate), "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["speech_s"] > 1.0


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (VOICE[16_000:19_200], "too_little_speech"),
        (np.zeros(96_000), "too_little_speech"),
        (np.random.default_rng(0).normal(0, 0.1, 96_000), "not_speech"),
    ],
    ids=["0.2 s", "silence", "noise"],
)
def test_too_little_speech_is_no_error_but_the_neutral_avatar(
    face, recording, working_folder, samples, reason
):
    path = recording(np.asarray(samples, np.float32))
    code, out, err = face(path, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["confidence"], told["reason"]) == (0.0, reason)
    assert {value for name, value in told["parameters"].items() if name != "skin"} == {0.0}
    _, out, _ = face(path)
    assert "so the avatar is the neutral one" in out


def spoilt(value):
    samples = VOICE.copy()
    samples[5_000] = value
    return samples


NO_RECORDINGS = {
    "empty": (VOICE[:0], 16_000, "too short"),
    "one sample": (VOICE[:1], 16_000, "too short"),
    "NaN": (spoilt(np.nan), 16_000, "NaN or infinity in 1 of"),
    "infinity": (spoilt(-np.inf), 16_000, "NaN or infinity in 1 of"),
    "16-bit values as floats": (VOICE * 32_768, 16_000, "far beyond full scale"),
    "2 kHz": (VOICE[::8], 2_000, "sample rate: got 2000 Hz"),
}


@pytest.mark.parametrize("kind", NO_RECORDINGS)
def test_what_is_no_recording_is_refused(face, recording, working_folder, kind):
    samples, rate, message = NO_RECORDINGS[kind]
    code, out, err = face(recording(samples, rate))
    assert (code, out) == (2, "")
    assert err.startswith("voxtoon: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(working_folder.iterdir()) == []


def test_what_is_no_sound_file_is_refused(face, tmp_path, working_folder):
    text, nothing = tmp_path / "notes.txt", tmp_path / "nothing.wav"
    text.write_text("not sound at all, whatever its name")
    nothing.touch()
    for path, message in (
        (tmp_path / "missing.wav", "no such file"),
        (tmp_path, "not a file"),
        (text, "not a sound file"),
        (nothing, "the file is empty"),
    ):
        code, out, err = face(path)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert list(working_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "avatar.jpg"), "output file: got 'avatar.jpg', expected a name that ends in .svg or .png"),
        (("--image", "face.jpg"), "output file: got 'face.jpg', expected a name that ends in .png"),
        (("-o", "nowhere/avatar.svg"), "cannot write nowhere/avatar.svg: got no such folder"),
        (("--image", "nowhere/face.png"), "cannot write nowhere/face.png: got no such folder"),
        (("-o", "/dev/full/avatar.svg"), "cannot write /dev/full/avatar.svg"),
        (("-o", "/proc/avatar.svg"), "cannot write /proc/avatar.svg"),
        (("--image", "/proc/face.png"), "cannot write /proc/face.png"),
        (("-o", "one.png", "--image", "./one.png"), "avatar and face have one name: got 'one.png'"),
        (("--engine", "abacus"), "unknown engine"),
        (("--precision", "fp64"), "unknown precision"),
        (("--precision", "int8"), "no artefact"),
        (("--threads", "0"), "threads: got 0"),
        (("--exaggeration", "nan"), "exaggeration: got nan"),
        (("--gain", "-1"), "gain: got -1"),
        (("--hair", "blue"), "hair: got 'blue'"),
        (("--skin", "plaid"), "skin: got 'plaid'"),
    ],
)
def test_options_that_cannot_be_are_refused_and_nothing_is_written(face, working_folder, options, message):
    code, out, err = face(SAMPLE, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(working_folder.iterdir()) == []


def test_a_changed_byte_in_the_bundle_is_exit_code_1(changed_bundle, capsys, working_folder):
    folder = changed_bundle(lambda manifest: None)
    encoder = folder / "encoder.fp32.onnx"
    encoder.write_bytes(encoder.read_bytes()[:-1] + b"!")
    assert main(["face", str(SAMPLE), "--bundle", str(folder)]) == 1
    assert "encoder.fp32.onnx has changed" in capsys.readouterr().err
    assert list(working_folder.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux tells it")
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path, tiny_bundle):
    """Two processes draw a minute and an hour of 8 kHz sound; the hour alone is 115 MB of floats."""

    def peak_kb(seconds):
        path = tmp_path / f"{seconds}.wav"
        with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_U8") as file:
            for start in range(0, seconds, 60):
                file.write(VOICE[::2] if start == 0 else np.zeros(0))
                file.write(np.zeros(60 * 8_000 - (48_000 if start == 0 else 0)))
        program = (
            "import resource, sys; from voxtoon.cli import main; code = main(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
        )
        words = ["face", str(path), "--bundle", str(tiny_bundle), "-o", str(tmp_path / "avatar.svg")]
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        return int(done.stdout.split()[-1])

    assert peak_kb(3_600) - peak_kb(60) < 30_000
