"""Emulated Raspberry Pis: an arm64 Debian root, arm64 wheels of the runtime, and a processor to run them on.

Nothing of a root is configured or run while it is made, so that takes seconds; `pi-run` runs commands in it
as if on the board, children, ``/proc/cpuinfo`` and host name included. What a program computes there is
what it computes on the board. How long it takes says nothing.

``python tests/devices/raspberry_pi.py`` makes all systems from nothing and says how long that took.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MIRROR = os.environ.get("DEB_MIRROR", "http://deb.debian.org/debian")
TOOLS = ("qemu-aarch64-static", "mmdebstrap", "unshare")
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in (17, 24, 26, 27, 28, 31, 34)] + [
    "manylinux2014_aarch64"
]
TEST_PACKAGES = ("pytest", "hypothesis")
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
# onnxruntime asks which processors there are: 1.21.0 ends when nobody answers.
SYS = {
    **{f"devices/system/cpu/{name}": "0-3\n" for name in ("possible", "present", "online")},
    "devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "class/thermal/thermal_zone0/temp": "48312\n",
}

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Board:
    """A model of Raspberry Pi: its processor as qemu and as the kernel call it."""

    name: str
    model: str
    cpu: str
    part: str
    features: str

    @property
    def cpuinfo(self) -> str:
        """What the kernel tells; its features are those that the emulated processor has."""
        cores = [
            f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.part}\nCPU revision\t: 3\n\n"
            for core in range(4)
        ]
        return f"{''.join(cores)}Model\t\t: {self.model}\n"


PI_4 = Board("pi4", "Raspberry Pi 4 Model B Rev 1.4", "cortex-a72", "0xd08", "fp asimd evtstrm crc32 cpuid")
PI_5 = Board(
    "pi5",
    "Raspberry Pi 5 Model B Rev 1.0",
    "cortex-a76",
    "0xd0b",
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
)


@dataclass(frozen=True)
class Pi:
    """A board with a system on it."""

    board: Board
    root: Path

    def run(self, *words: str, pythonpath: Sequence[str] = ("/bound/site",)) -> Done:
        """Run a command there, and wait for it."""
        environment = {**os.environ, "PI_PYTHONPATH": ":".join(pythonpath)}
        return subprocess.run(
            [*self.command, *words], env=environment, capture_output=True, text=True, check=False
        )

    @property
    def command(self) -> list[str]:
        """The words before a command that is to run there."""
        return [str(HERE / "pi-run"), str(self.root), self.board.cpu]

    def login(self, path: Path) -> Path:
        """Write the program that sshd runs in place of a command: it runs the command on the board."""
        command = " ".join(f"'{word}'" for word in self.command)
        path.write_text(f'#!/bin/bash\nexec {command} /bin/bash -c "$SSH_ORIGINAL_COMMAND"\n')
        path.chmod(0o755)
        return path

    def python(self, *words: str, **options: Sequence[str]) -> Done:
        """Run its Python."""
        return self.run("/usr/bin/python3", *words, **options)


def missing() -> str | None:
    """Say why no board can be had here; None where one can."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            return f"{tool} is not installed (apt-packages.txt)"
    probe = "mount --make-rprivate / && mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", probe]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no emulator can be registered in a namespace: {tried.stderr.strip()}; Linux 6.7 can"
    return None


def system(release: str, folder: Path) -> Path:
    """Make the files of a Debian release with Python; RuntimeError where its packages cannot be had."""
    root = folder / release
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    packages = "--include=python3,libstdc++6,bash,coreutils"
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--arch=arm64", packages, release, str(root)]
    done = subprocess.run([*command, MIRROR], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"no Debian {release} for arm64 from {MIRROR}: {done.stderr.strip()[-300:]}")
    for name in ("bin", "sbin", "lib"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    (root / "etc" / "voxtoon-emulated").touch()
    for name, text in SYS.items():
        (root / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys" / name).write_text(text)
    for name in ("site", "checkout"):
        (root / "bound" / name).mkdir(parents=True)
    (root / "bound" / "checkout.path").write_text(str(ROOT))
    (root / "done").touch()
    return root


def wheels(release: str, folder: Path, name: str, packages: Sequence[str], *, alone: bool = False) -> Path:
    """Unpack arm64 wheels for the Python of a release; raises RuntimeError where they cannot be had."""
    site = folder / f"{release}-{name}"
    if (site / "done").exists():
        return site
    shutil.rmtree(site, ignore_errors=True)
    options = [f"--platform={platform}" for platform in PLATFORMS] + (["--no-deps"] if alone else [])
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    where = ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHONS[release]]
    command = [*pip, "--target", str(site), *where, *options, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"no arm64 wheels: {done.stderr.strip()[-300:]}")
    (site / "done").touch()
    return site


def runtime_packages() -> list[str]:
    """Return what the base install depends on, as ``pyproject.toml`` says."""
    text = (ROOT / "pyproject.toml").read_text()
    found = re.search(r"^dependencies = \[(.*?)^\]", text, re.M | re.S)
    assert found is not None
    return re.findall(r'"([^"]+)"', found.group(1))


def build(folder: Path) -> dict[str, Path]:
    """Make the roots of all releases with the runtime's packages beside them, two downloads at a time."""
    packages = [*runtime_packages(), *TEST_PACKAGES]
    with ThreadPoolExecutor(2) as pool:
        sites = [pool.submit(wheels, release, folder, "site", packages) for release in PYTHONS]
        roots = {release: pool.submit(system, release, folder) for release in PYTHONS}
        for root, site in zip(roots.values(), sites, strict=True):
            (root.result() / "bound" / "site.path").write_text(str(site.result()))
    return {release: root.result() for release, root in roots.items()}


def board(root: Path, board: Board, folder: Path) -> Pi:
    """Put a system into a board: a root of its own, whose files are links to those of the first."""
    own = folder / f"{root.name}-{board.name}"
    if not own.exists():
        subprocess.run(["cp", "-al", str(root), str(own)], check=True)
    (own / "etc" / "cpuinfo").unlink(missing_ok=True)
    (own / "etc" / "cpuinfo").write_text(board.cpuinfo)
    return Pi(board, own)


def main() -> None:
    """Make every system in a new folder; tell the seconds, and those of processors, and take it away."""
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        build(Path(folder))
        took_s = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{' and '.join(PYTHONS)} from nothing: {took_s:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
