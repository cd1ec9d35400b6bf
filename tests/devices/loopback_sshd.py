"""A real sshd on loopback with key authentication, and the configuration of an ssh that finds it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/bin")
REASON = "openssh-server is not installed (apt-packages.txt)"


@dataclass(frozen=True)
class Sshd:
    """A running sshd: where it listens, and the configurations of a client with the key and with another."""

    target: str
    config: Path
    config_of_a_stranger: Path
    process: subprocess.Popen[bytes]

    def cut_connections(self) -> None:
        """Kill the processes of sshd that serve connections, as when a network goes away."""
        serving = _children(self.process.pid)
        for child in [*(found for first in serving for found in _children(first)), *serving]:
            if Path(f"/proc/{child}/comm").read_text().startswith("sshd"):
                os.kill(child, signal.SIGKILL)


@contextmanager
def running(folder: Path, *, login: Path | None = None) -> Iterator[Sshd]:
    """Start sshd; ``login`` runs in place of every command, and finds it in SSH_ORIGINAL_COMMAND."""
    assert SSHD is not None
    for name in ("host_key", "key", "strange_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    keys = folder / "authorized_keys"
    shutil.copy(folder / "key.pub", keys)
    keys.chmod(0o600)
    port = _free_port()
    lines = [
        "ListenAddress 127.0.0.1",
        f"Port {port}",
        f"HostKey {folder / 'host_key'}",
        f"PidFile {folder / 'sshd.pid'}",
        f"AuthorizedKeysFile {keys}",
        "AuthenticationMethods publickey",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        *([f"ForceCommand {login}"] if login else []),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # it will not start without
    command = [SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    process = subprocess.Popen(command)
    try:
        _wait_for(port, folder / "sshd.log")
        known, stranger = (_config(folder, port, key) for key in ("key", "strange_key"))
        yield Sshd(f"ssh://127.0.0.1:{port}", known, stranger, process)
    finally:
        process.terminate()
        process.wait()


def _config(folder: Path, port: int, key: str) -> Path:
    path = folder / f"config_{key}"
    host_key = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    path.write_text(
        f"IdentityFile {folder / key}\nIdentitiesOnly yes\nUserKnownHostsFile {folder / 'known_hosts'}\n"
        "GlobalKnownHostsFile /dev/null\n"
    )
    return path


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int, log: Path) -> None:
    for _ in range(200):
        with socket.socket() as found:
            if found.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text() if log.exists() else 'no log'}")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
