"""What all commands of the command line have in common."""

import errno
import subprocess
import sys

import pytest

import voxtoon
from voxtoon.cli import COMMANDS, main


def test_help_lists_every_command_with_one_line(capsys):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    for name, line in COMMANDS.items():
        assert f"{name:<10} {line}" in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_own_help(capsys, command):
    assert main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert f"usage: voxtoon {command}" in told
    assert "--verbose" in told


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"voxtoon {voxtoon.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: command; see voxtoon --help"),
        (["fase"], "unknown command: got 'fase', expected face, stream,"),
        (["--fast"], "the following arguments are required: command"),
        (["face"], "the following arguments are required: CALL.wav; see voxtoon face --help"),
        (["face", "a.wav", "--threads", "two"], "argument --threads: invalid int value: 'two'"),
        (["face", "a.wav", "--fast"], "unrecognized arguments: --fast"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(capsys, words, message):
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("voxtoon: error: ")
    assert message in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("words", [["-v", "face", "missing.wav"], ["face", "missing.wav", "-v"]])
def test_verbose_adds_the_traceback(capsys, words):
    assert main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.endswith("voxtoon: error: missing.wav: no such file\n")


def test_a_disk_without_room_is_no_mistake_of_ours(capsys, monkeypatch):
    """As where temporary files go; what is written to stay is told by who writes it."""

    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/part.onnx")

    monkeypatch.setattr("voxtoon.cli.systems.run", full)
    assert main(["systems"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("voxtoon: error: the disk is full: got [Errno 28] No space left on device")
    assert told.count("\n") == 1


def test_a_mistake_of_our_own_is_one_line_too(capsys, monkeypatch):
    monkeypatch.setattr("voxtoon.cli.face._reconstruct", lambda arguments: {}["no such key"])
    assert main(["face", "a.wav"]) == 1
    told = capsys.readouterr().err
    assert told == "voxtoon: error: KeyError: 'no such key'; this is a mistake of voxtoon's, -v shows where\n"


def test_nothing_that_is_not_needed_is_imported():
    program = """
import sys
from voxtoon.cli import main
main(["--help"])
main(["face", "missing.wav"])
heavy = {"onnxruntime", "soundfile", "soxr", "resvg_py", "torch", "voxtoon_export", "voxtoon.cli.stream"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_program_ends_with_the_exit_code_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "voxtoon", "face", "missing.wav"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "voxtoon: error: missing.wav: no such file\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m voxtoon --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: voxtoon")
    assert done.stderr == ""
