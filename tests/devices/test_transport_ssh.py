"""Measuring over the system's ssh and a real sshd."""

import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from tests.runtime.conftest import rewritten
from voxtoon.bench.host import run
from voxtoon.bench.record import Protocol
from voxtoon.bench.transports import Options
from voxtoon.bench.transports.ssh import parse
from voxtoon.bundle import DEFAULT_BUNDLE
from voxtoon.cli import main
from voxtoon.errors import InputError

SHORT = Protocol(warmup_runs=1, runs=2, cold_runs=1)


def measure(sshd, python, *, protocol=SHORT, bundle=DEFAULT_BUNDLE):
    options = Options(python=str(python), ssh_config=sshd.config)
    return run(bundle, on=sshd.target, protocol=protocol, options=options)


def test_a_whole_record_comes_back_and_nothing_stays(sshd, device_python):
    python, folder = device_python()
    done = measure(sshd, python)
    assert done.error is None
    assert done.record.problem is None
    assert done.record.accurate
    assert done.record.latency["whole"].summary_s.n == 2
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "target",
    [
        "ssh://-oProxyCommand=touch hostile",
        "ssh://host;touch hostile",
        "ssh://$(touch hostile)",
        "ssh://`touch hostile`@host",
        "ssh://user'@host",
        "ssh://host name",
        "ssh://host\ntouch hostile",
        "ssh://host:99999",
        "ssh://host:0",
        "ssh://",
        "ssh://-user@host",
        "adb:serial;touch hostile",
        "adb:-s",
        "adb:",
        "telnet://host",
    ],
)
def test_hostile_names_are_refused_before_anything_is_started(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="where to measure"):
        run(DEFAULT_BUNDLE, on=target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "destination", "port"),
    [
        ("ssh://pi.local", "pi.local", None),
        ("ssh://pi@raspberrypi:2222/", "pi@raspberrypi", 2222),
        ("ssh://me@[fe80::1]:22", "me@fe80::1", 22),
    ],
)
def test_names_that_are_names(target, destination, port):
    address = parse(target)
    assert (address.destination, address.port) == (destination, port)


def test_words_reach_the_device_as_they_are(sshd, tmp_path):
    """An interpreter with everything in its name that a shell would take for something else."""
    name = tmp_path / "py $(touch hostile) `touch hostile`; touch hostile 'x' \"y\" &"
    name.write_text('#!/bin/sh\necho \'{"refused": "python", "got": "0.1", "least": "3.10"}\'\n')
    name.chmod(0o755)
    done = measure(sshd, name)
    assert "the Python of ssh://127.0.0.1" in str(done.error)
    assert [path.name for path in tmp_path.rglob("hostile")] == []


def test_a_host_that_does_not_answer(sshd):
    done = run(DEFAULT_BUNDLE, on="ssh://127.0.0.1:1", options=Options(ssh_config=sshd.config))
    assert str(done.error).startswith("ssh://127.0.0.1:1 cannot be reached: got ")
    assert "Connection refused" in str(done.error)


def test_a_name_that_nobody_has(sshd):
    done = run(DEFAULT_BUNDLE, on="ssh://no-such-host.invalid", options=Options(ssh_config=sshd.config))
    assert "ssh://no-such-host.invalid cannot be reached" in str(done.error)


def test_a_key_that_is_not_known_there(sshd):
    options = Options(ssh_config=sshd.config_of_a_stranger)
    done = run(DEFAULT_BUNDLE, on=sshd.target, options=options)
    assert f"{sshd.target} does not take your key" in str(done.error)
    assert "ssh-copy-id" in str(done.error)


def test_a_device_without_python(sshd):
    done = measure(sshd, "python-that-is-not-there")
    assert f"{sshd.target} has no Python: got no python-that-is-not-there" in str(done.error)


def test_a_python_that_is_too_old(sshd, tmp_path):
    old = tmp_path / "python3"
    # The bootstrap itself, in an interpreter that calls itself 3.7: no such one can be had everywhere.
    old.write_text(
        f"#!/bin/sh\nshift\nscript=\"$1\"; shift\nexec '{sys.executable}' -c "
        '"import sys; sys.version_info = (3, 7, 3); exec(sys.argv.pop(1))" "$script" "$@"\n'
    )
    old.chmod(0o755)
    done = measure(sshd, old)
    assert f"the Python of {sshd.target} is too old: got 3.7, expected 3.10 or later" in str(done.error)


def test_a_python_without_the_packages(sshd, tmp_path):
    bare = tmp_path / "python3"
    bare.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S \"$@\"\n")
    bare.chmod(0o755)
    done = measure(sshd, bare)
    assert f"{sshd.target} lacks packages: got no numpy, soxr" in str(done.error)
    assert "pip install voxtoon" in str(done.error)


def test_a_device_without_room(sshd, tmp_path):
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("a small file system cannot be mounted here (unshare)")
    small = tmp_path / "python3"
    small.write_text(
        f"#!/bin/sh\nexport TMPDIR='{tmp_path}/small'; mkdir -p \"$TMPDIR\"\n"
        'exec unshare -Urm sh -c \'mount -t tmpfs -o size=1m none "$TMPDIR" && exec "$@"\' sh '
        f"'{sys.executable}' \"$@\"\n"
    )
    small.chmod(0o755)
    done = measure(sshd, small)
    assert f"{sshd.target} cannot hold what is to be measured: got No space left on device" in str(done.error)


def test_an_engine_that_dies_is_told_as_such(sshd, device_python, tmp_path):
    """Everything is real but the reason: a package that kills whoever imports it takes the engine's place."""
    site = tmp_path / "site"
    (site / "onnxruntime").mkdir(parents=True)
    (site / "onnxruntime" / "__init__.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    )
    python, folder = device_python(before=f"export PYTHONPATH='{site}'")
    done = measure(sshd, python)
    assert "illegal instruction" in str(done.error)
    assert list(folder.iterdir()) == []


def test_a_lost_connection_leaves_a_part_of_the_record_and_nothing_there(sshd, device_python):
    python, folder = device_python()
    cut = []

    def progress(words):
        if words == "measuring without a pause":
            sshd.cut_connections()
            cut.append(words)

    options = Options(python=str(python), ssh_config=sshd.config)
    protocol = Protocol(warmup_runs=1, runs=2, cold_runs=1, sustained_s=600)
    done = run(DEFAULT_BUNDLE, on=sshd.target, protocol=protocol, options=options, progress=progress)
    assert cut
    assert f"the connection to {sshd.target} was lost" in str(done.error)
    assert done.record.problem == str(done.error)
    assert done.record.latency["whole"].summary_s.n == 2
    assert done.record.sustained is None
    assert eventually_empty(folder)


def test_a_device_that_said_it_throttles_and_is_gone_may_have_switched_itself_off(
    sshd, device_python, tmp_path
):
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x5\n")
    tool.chmod(0o755)
    python, _ = device_python(before=f'export PATH="{tmp_path}:$PATH"')

    def progress(words):
        if words == "measuring without a pause":
            sshd.cut_connections()

    options = Options(python=str(python), ssh_config=sshd.config)
    protocol = Protocol(warmup_runs=1, runs=1, cold_runs=1, sustained_s=600)
    done = run(DEFAULT_BUNDLE, on=sshd.target, protocol=protocol, options=options, progress=progress)
    assert "s into the run it said: under-voltage, throttled" in str(done.error)
    assert "it may have switched itself off: give it a better supply or cooling" in str(done.error)
    assert done.record.problem == str(done.error)


def test_an_artefact_that_is_too_new_for_the_device_is_named_with_what_it_needs(
    sshd, device_python, tmp_path
):
    folder = tmp_path / "new.voxtoon"
    with zipfile.ZipFile(DEFAULT_BUNDLE) as bundle:
        bundle.extractall(folder)

    def ask_for_more(manifest):
        for artefact in manifest["artefacts"]:
            artefact["minimum_runtime"] = {"onnxruntime": "99.0"}

    python, kept = device_python()
    done = measure(sshd, python, bundle=rewritten(folder, ask_for_more))
    assert f"{sshd.target}: " in str(done.error)
    assert "onnxruntime is too old for " in str(done.error)
    assert "expected 99.0 or later" in str(done.error)
    assert list(kept.iterdir()) == []


def test_ctrl_c_keeps_the_part_and_cleans_the_device(sshd, device_python, tmp_path):
    python, folder = device_python()
    record = tmp_path / "part.json"
    words = ["bench", "--on", sshd.target, "--python", str(python), "--ssh-config", str(sshd.config)]
    words += ["--runs", "2", "--cold-runs", "1", "--sustained-s", "600", "--json", str(record)]
    child = subprocess.Popen(
        [sys.executable, "-m", "voxtoon", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore the interrupt, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(folder.glob("voxtoon-bench-*/voxtoon")):
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said == ""
    assert eventually_empty(folder)
    if record.exists():
        assert json.loads(record.read_text())["problem"] == "interrupted"


def test_the_command_tells_an_error_in_one_line(sshd, capsys):
    words = ["bench", "--on", "ssh://127.0.0.1:1", "--ssh-config", str(sshd.config)]
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1


def eventually_empty(folder):
    for _ in range(200):
        if not list(folder.iterdir()):
            return True
        time.sleep(0.1)
    return False
