"""Devices to measure on: this machine behind a real sshd, and emulated Raspberry Pis."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import loopback_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory):
    """A device that is this machine, over ssh."""
    if loopback_sshd.SSHD is None:
        pytest.skip(loopback_sshd.REASON)
    with loopback_sshd.running(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def device_python(tmp_path):
    """Make a Python for the device that keeps its temporary files in a folder that can be looked into."""

    def make(*, before=""):
        folder = tmp_path / "device"
        folder.mkdir(exist_ok=True)
        script = tmp_path / "device python"  # a name with a space: nothing may fall apart
        script.write_text(f"#!/bin/sh\nexport TMPDIR='{folder}'\n{before}\nexec '{sys.executable}' \"$@\"\n")
        script.chmod(0o755)
        return script, folder

    return make
