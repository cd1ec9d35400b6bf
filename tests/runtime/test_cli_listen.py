"""`voxtoon listen`: a real PortAudio whose sound card is a file, and a page."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

ALSA = """
pcm.!default {{ type file; slave.pcm "nothing"; file "/dev/null"; infile "{voice}"; format "raw" }}
pcm.nothing {{ type null }}
"""


def portaudio():
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        pytest.skip(f"no PortAudio: {error} (apt-packages.txt, voxtoon[live])")
    if sys.platform != "linux":
        pytest.skip("the file that stands for a sound card is ALSA's")


@pytest.fixture
def listen(streaming_bundle, sample_voice, tmp_path):
    """Start the command with a sound card that plays the sample voice at 44.1 kHz into its microphone."""
    portaudio()
    from voxtoon.resample import resample

    voice = resample(sample_voice.samples, from_hz=16_000, to_hz=44_100)
    (tmp_path / "voice.raw").write_bytes((voice * 32_767).astype("<i2").tobytes())
    (tmp_path / "asound.conf").write_text(ALSA.format(voice=tmp_path / "voice.raw"))
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")}

    def run(*words, **options):
        command = [sys.executable, "-m", "voxtoon", "listen", *words, "--bundle", str(streaming_bundle)]
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
        )

    return run


def test_the_microphone_is_heard(listen, tmp_path):
    process = listen("--json", "--seconds", "5", "--avatar", "now.svg")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    told = [json.loads(line) for line in out.splitlines()]
    assert told[0]["state"] == "draft"
    assert told[-1]["final"]
    assert told[-1]["speech_s"] > 4
    assert (tmp_path / "now.svg").read_text().startswith("<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asound.conf", "now.svg", "voice.raw"]


def test_the_microphones_are_listed(listen):
    out, _ = listen("--list").communicate(timeout=120)
    assert re.search(r"^\d+: default$", out, re.M)


def test_a_microphone_that_is_not_there_is_told_with_those_that_are(listen):
    process = listen("--device", "moon")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert "no such microphone: got 'moon'" in err
    assert "default" in err
    assert err.count("\n") == 1


def test_without_portaudio_it_says_what_to_install(streaming_bundle):
    script = (
        "import ctypes.util, sys; ctypes.util.find_library = lambda name: None; "
        "from voxtoon.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    pytest.importorskip("_sounddevice", reason="sounddevice comes with voxtoon[live]")
    command = [sys.executable, "-c", script, "listen", "--bundle", str(streaming_bundle)]
    done = subprocess.run(command, text=True, capture_output=True, timeout=120)
    assert done.returncode == 2
    assert "libportaudio2" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_page_is_served_until_interrupted(streaming_bundle):
    command = [sys.executable, "-m", "voxtoon", "listen", "--web", "--bundle", str(streaming_bundle)]
    process = subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore the interrupt, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#[\w-]{32,}", url)
    with urllib.request.urlopen(url, timeout=30) as page:
        assert b"not a likeness" in page.read()
    process.send_signal(signal.SIGINT)
    assert "a cartoon, not a likeness" in process.stdout.readline()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
