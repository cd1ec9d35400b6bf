"""How a device fares during a run: heat, clock, throttling, and the energy it counts."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voxtoon.bench.device import read_text, tool_output
from voxtoon.bench.record import Conditions, Energy

# Bits of `vcgencmd get_throttled` that tell the present; those above 15 tell what happened since the start.
_RASPBERRY_PI: Final = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_ANDROID: Final = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_LEAST_BETWEEN_S: Final = 1.0
_BEFORE_S: Final = 0.5
_STAT: Final = Path("/proc/stat")
_ZONES: Final = Path("/sys/class/thermal")
_CPUS: Final = Path("/sys/devices/system/cpu")
_POWER: Final = Path("/sys/class/powercap")


@dataclass(frozen=True)
class CoreTimes:
    """Ticks of all cores together."""

    busy: int
    total: int


class Watch:
    """Looks at the device now and then, between what is timed; no thread runs beside it."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._times = core_times()
        self.seen: list[Conditions] = []

    def begin(self) -> None:
        """Wait a moment and look: what is at work then are others."""
        time.sleep(_BEFORE_S)
        self.look(at_once=True)

    def look(self, *, at_once: bool = False) -> None:
        """Note the conditions, unless the last look was less than a second ago."""
        at_s = time.monotonic() - self._start
        if at_once or not self.seen or at_s - self.seen[-1].at_s >= _LEAST_BETWEEN_S:
            before, self._times = self._times, core_times()
            self.seen.append(
                Conditions(
                    at_s=round(at_s, 3),
                    temperature_c=temperature_c(),
                    frequency_hz=frequency_hz(),
                    throttled=throttled(),
                    busy_cores=busy_cores(before, self._times),
                )
            )


def temperature_c(zones: Path = _ZONES) -> float | None:
    """Return the temperature of the hottest zone; some report thousandths, some whole degrees."""
    texts = [read_text(file) for file in sorted(zones.glob("thermal_zone*/temp"))]
    found = [float(text) for text in texts if text and re.fullmatch(r"-?\d+", text)]
    degrees = [value / 1000 if abs(value) >= 1000 else value for value in found]
    if degrees:
        return max(degrees)
    measured = re.search(r"temp=([\d.]+)", tool_output("vcgencmd", "measure_temp") or "")
    return float(measured[1]) if measured else None


def frequency_hz(cpus: Path = _CPUS) -> float | None:
    """Return the clock of the slowest core that tells it."""
    texts = [read_text(file) for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
    found = [int(text) for text in texts if text and text.isdigit()]
    return min(found) * 1000.0 if found else None


def core_times(stat: Path = _STAT) -> CoreTimes | None:
    """Return what the cores did since the system started; None where it does not tell."""
    found = re.match(r"cpu +((?:\d+ ?)+)", read_text(stat) or "")
    if found is None:
        return None
    # user, nice, system, idle, waiting for disks, two kinds of interrupts, taken by other virtual machines
    ticks = [int(word) for word in found[1].split()[:8]]
    return CoreTimes(busy=sum(ticks) - sum(ticks[3:5]), total=sum(ticks))


def busy_cores(before: CoreTimes | None, now: CoreTimes | None) -> float | None:
    """Return how many cores were at work between two moments."""
    if before is None or now is None or now.total <= before.total:
        return None
    return (now.busy - before.busy) / (now.total - before.total) * (os.cpu_count() or 1)


def throttled() -> tuple[str, ...] | None:
    """Return what throttles the device now, None where it does not tell."""
    text = tool_output("vcgencmd", "get_throttled")
    if text is not None:
        return raspberry_pi_throttling(text)
    text = tool_output("dumpsys", "thermalservice")
    return None if text is None else android_throttling(text)


def raspberry_pi_throttling(text: str) -> tuple[str, ...] | None:
    """Read ``throttled=0x50005``."""
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", text)
    if found is None:
        return None
    bits = int(found[1], 16)
    return tuple(name for bit, name in _RASPBERRY_PI.items() if bits >> bit & 1)


def android_throttling(text: str) -> tuple[str, ...] | None:
    """Read ``Thermal Status: 2`` of the thermal service."""
    found = re.search(r"Thermal Status:\s*(\d+)", text)
    if found is None or int(found[1]) >= len(_ANDROID):
        return None
    return (_ANDROID[int(found[1])],) if int(found[1]) else ()


class EnergyCounter:
    """Counts from its making on, where the processor has a counter that may be read."""

    def __init__(self, power: Path = _POWER) -> None:
        self._domains = [
            domain
            for domain in sorted(power.glob("*:[0-9]"))
            if (read_text(domain / "energy_uj") or "").isdigit()
        ]
        self._before = [self._microjoules(domain) for domain in self._domains]

    def energy(self, *, rounds: int) -> Energy | None:
        """Return what was counted since, None without a counter."""
        if not self._domains or not rounds:
            return None
        total = 0
        for domain, before in zip(self._domains, self._before, strict=True):
            counted = self._microjoules(domain) - before
            if counted < 0:  # the counter began again
                counted += int(read_text(domain / "max_energy_range_uj") or "0")
            total += counted
        names = ", ".join(read_text(domain / "name") or domain.name for domain in self._domains)
        return Energy(f"powercap: {names}", total / 1e6, total / 1e6 / rounds)

    def _microjoules(self, domain: Path) -> int:
        return int(read_text(domain / "energy_uj") or "0")
