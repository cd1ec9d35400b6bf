"""Measuring over the system's adb and a stand-in for a device."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import adb_daemon
import pytest

from voxtoon.bench.host import run
from voxtoon.bench.record import Protocol
from voxtoon.bench.transports import Options
from voxtoon.bench.transports.adb import Adb, problem
from voxtoon.bundle import DEFAULT_BUNDLE
from voxtoon.errors import InputError

SHORT = Protocol(warmup_runs=1, runs=2, cold_runs=1)

pytestmark = pytest.mark.skipif(shutil.which("adb") is None, reason="adb is not installed (apt-packages.txt)")


@pytest.fixture(scope="module")
def adb_server(tmp_path_factory):
    """A server of adb of our own, with a home of its own: the user's is left alone."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", port)
        patch.setenv("HOME", str(home))
        yield port
        subprocess.run(["adb", "kill-server"], check=False, capture_output=True)


@pytest.fixture
def phone(adb_server, tmp_path):
    """A device that adb is connected to."""
    folder = tmp_path / "phone"
    folder.mkdir()
    with adb_daemon.running(folder) as daemon:
        said = subprocess.run(
            ["adb", "connect", daemon.serial], capture_output=True, text=True, check=True
        ).stdout
        assert "connected to" in said
        for _ in range(100):
            listed = subprocess.run(["adb", "devices"], capture_output=True, text=True, check=True).stdout
            if f"{daemon.serial}\tdevice" in listed:
                break
            time.sleep(0.05)
        yield daemon
        subprocess.run(["adb", "disconnect", daemon.serial], check=False, capture_output=True)


def measure(phone, python, protocol=SHORT, **options):
    return run(
        DEFAULT_BUNDLE, on=f"adb:{phone.serial}", protocol=protocol, options=Options(str(python)), **options
    )


def test_a_whole_record_comes_back_and_nothing_stays(phone, device_python):
    python, folder = device_python()
    done = measure(phone, python)
    assert done.error is None
    assert done.record.accurate
    assert done.record.on == f"adb:{phone.serial}"
    assert list(phone.folder.iterdir()) == []
    assert list(folder.iterdir()) == []


def test_words_and_exit_codes_come_through_as_they_are(phone):
    adb = Adb(phone.serial)
    hostile = "a $(touch hostile) `touch hostile`; touch hostile 'x' \"y\" & \\ *"
    assert adb.shell("printf", "%s", hostile) == hostile
    with pytest.raises(InputError, match="ended early"):
        adb.run("shell", "exit 7")
    assert not Path("hostile").exists()


def test_a_serial_that_is_not_connected(adb_server):
    done = run(DEFAULT_BUNDLE, on="adb:no-such-phone")
    assert "adb:no-such-phone cannot be reached" in str(done.error)
    assert "adb devices" in str(done.error)


def test_a_phone_without_python(phone):
    done = measure(phone, "python-that-is-not-there")
    assert f"adb:{phone.serial} has no Python for its shell" in str(done.error)
    assert "docs/devices.md" in str(done.error)
    assert list(phone.folder.iterdir()) == []


def test_a_phone_without_room(phone):
    phone.free_bytes = 100_000
    done = measure(phone, "python3")
    assert f"adb:{phone.serial} cannot hold what is to be measured" in str(done.error)
    assert "No space left on device" in str(done.error)
    assert list(phone.folder.iterdir()) == []


def test_a_pulled_cable_leaves_a_part_of_the_record(phone, device_python):
    python, _ = device_python()

    def progress(words):
        if words == "measuring without a pause":
            phone.unplug()

    protocol = Protocol(warmup_runs=1, runs=2, cold_runs=1, sustained_s=600)
    done = measure(phone, python, protocol=protocol, progress=progress)
    assert done.error is not None
    assert done.record.problem == str(done.error)
    assert done.record.latency["whole"].summary_s.n == 2
    assert done.record.sustained is None
    for _ in range(100):
        if not list(phone.folder.glob("*/voxtoon-bench-*")):
            break
        time.sleep(0.1)
    assert list(phone.folder.glob("*/voxtoon-bench-*")) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("error: device unauthorized.\nThis adb server's ...", "does not trust this machine"),
        ("error: device offline", "cannot be reached"),
        ("adb: error: failed to copy 'x' to 'y': remote No space left on device", "cannot hold"),
        ("something else", "ended early: got something else"),
    ],
)
def test_what_adb_says_is_told_in_one_line(said, told):
    text = str(problem(said, "SERIAL"))
    assert told in text
    assert "\n" not in text
