"""What a device says about itself: read from the system, nothing guessed; what it does not say is None."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from voxtoon.bench.record import Device, Processor, Software

PACKAGES: Final = (
    "numpy",
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "soxr",
    "soundfile",
    "resvg-py",
)
EMULATED_MARKER: Final = Path("/etc/voxtoon-emulated")
"""A file that whoever builds an emulated device puts in it."""

_ARM: Final = 0x41
_CORES: Final = {
    (_ARM, 0xB76): "ARM1176",
    (_ARM, 0xC07): "Cortex-A7",
    (_ARM, 0xD03): "Cortex-A53",
    (_ARM, 0xD04): "Cortex-A35",
    (_ARM, 0xD05): "Cortex-A55",
    (_ARM, 0xD07): "Cortex-A57",
    (_ARM, 0xD08): "Cortex-A72",
    (_ARM, 0xD09): "Cortex-A73",
    (_ARM, 0xD0A): "Cortex-A75",
    (_ARM, 0xD0B): "Cortex-A76",
    (_ARM, 0xD0C): "Neoverse-N1",
    (_ARM, 0xD0D): "Cortex-A77",
    (_ARM, 0xD40): "Neoverse-V1",
    (_ARM, 0xD41): "Cortex-A78",
    (_ARM, 0xD44): "Cortex-X1",
    (_ARM, 0xD46): "Cortex-A510",
    (_ARM, 0xD47): "Cortex-A710",
    (_ARM, 0xD48): "Cortex-X2",
    (_ARM, 0xD49): "Neoverse-N2",
    (_ARM, 0xD4D): "Cortex-A715",
    (_ARM, 0xD4E): "Cortex-X3",
    (_ARM, 0xD80): "Cortex-A520",
    (_ARM, 0xD81): "Cortex-A720",
    (_ARM, 0xD82): "Cortex-X4",
}
_TOOL_TIMEOUT_S: Final = 5


def describe_device() -> Device:
    """Describe the machine this runs on."""
    cpuinfo = read_text("/proc/cpuinfo") or ""
    return Device(
        model=_first(
            _device_tree("model"), cpuinfo_model(cpuinfo), _getprop("ro.product.model"), read_text(_DMI)
        ),
        soc=_first((_device_tree("compatible") or "").split(" ")[-1], _getprop("ro.soc.model")),
        kernel=f"{platform.system()} {platform.release()}",
        os=_first(os_name(read_text("/etc/os-release") or ""), _android()),
        processor=processor(cpuinfo, architecture=platform.machine(), cores=os.cpu_count() or 1),
        memory_bytes=memory_bytes(read_text("/proc/meminfo") or ""),
        governor=_governor(),
        emulated=is_emulated(),
    )


def describe_software() -> Software:
    """Versions of Python, voxtoon and the packages that take part, without importing them."""
    from voxtoon import __version__

    packages = {"voxtoon": __version__}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Software(platform.python_version(), packages)


def processor(cpuinfo: str, *, architecture: str, cores: int) -> Processor:
    """Read a processor off the text of ``/proc/cpuinfo``, of Arm or of x86."""
    fields = re.findall(r"^([^\t:]+?)\s*:[ \t]*(.*)$", cpuinfo, re.M)

    def values(name: str) -> list[str]:
        return [value for key, value in fields if key == name]

    parts = []
    for implementer, part in zip(values("CPU implementer"), values("CPU part"), strict=False):
        numbers = int(implementer, 16), int(part, 16)
        parts.append(_CORES.get(numbers, f"{implementer}:{part}"))
    features = " ".join(values("Features")[:1] or values("flags")[:1]).split()
    return Processor(
        architecture=architecture,
        model=_first(*values("model name")[:1], *values("Hardware")[:1]),
        parts=tuple(dict.fromkeys(parts)),
        features=tuple(features),
        cores=cores,
    )


def cpuinfo_model(cpuinfo: str) -> str | None:
    """Return the name of the board, which a Raspberry Pi tells in ``/proc/cpuinfo`` too."""
    found = re.search(r"^Model\s*:\s*(.+)$", cpuinfo, re.M)
    return found[1] if found else None


def is_emulated() -> bool:
    """Whether this process runs on a processor that is only imitated.

    Either the device says so by a file, or the parent, which runs like this process, is an emulator: of
    itself a process is shown the program that is emulated.
    """
    if EMULATED_MARKER.exists():
        return True
    try:
        return Path(f"/proc/{os.getppid()}/exe").readlink().name.startswith("qemu-")
    except OSError:
        return False


def memory_bytes(meminfo: str) -> int | None:
    """Return all memory, from the text of ``/proc/meminfo``."""
    found = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.M)
    return int(found[1]) * 1024 if found else None


def os_name(os_release: str) -> str | None:
    """Return the name of the system, from the text of ``/etc/os-release``."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', os_release, re.M)
    return found[1] if found else None


def read_text(path: str | Path) -> str | None:
    """Return the text of a file of the system without its ending zeros and spaces, None where it is none."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.replace("\0", " ").strip() or None


def tool_output(*command: str) -> str | None:
    """Return what a tool of the system prints, None where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TOOL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


_DMI = "/sys/class/dmi/id/product_name"


def _device_tree(name: str) -> str | None:
    return read_text(f"/proc/device-tree/{name}")


def _getprop(name: str) -> str | None:
    return tool_output("getprop", name)


def _android() -> str | None:
    release = _getprop("ro.build.version.release")
    return None if release is None else f"Android {release}"


def _governor() -> str | None:
    return read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def _first(*texts: str | None) -> str | None:
    found: Iterable[str] = (text for text in texts if text)
    return next(iter(found), None)


def device_key(device: Device) -> str:
    """Return what tells devices apart that may want another choice: model, cores, how many of them."""
    found = device.processor
    cores = " + ".join(found.parts) or found.model or found.architecture
    return f"{device.model or found.architecture} / {cores} x {found.cores}"
