"""The microphone of this machine, through PortAudio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    import sounddevice  # type: ignore[import-untyped]

ENCODING = "s16le"
READ_S = 0.1
BUFFER_S = 1.0
"""Of sound that waits in PortAudio while a face is drawn."""


@dataclass
class Microphone:
    """An open microphone: one channel of 16-bit samples.

    Attributes
    ----------
    sample_rate_hz
        Of the device.
    overflows
        How often sound was lost because nobody read it in time.
    """

    stream: sounddevice.RawInputStream
    sample_rate_hz: int
    overflows: int = 0

    def chunks(self) -> Iterator[bytes]:
        """The sound, `READ_S` at a time, without end."""
        while True:
            data, lost = self.stream.read(round(READ_S * self.sample_rate_hz))
            self.overflows += bool(lost)
            yield bytes(data)


@contextmanager
def microphone(*, device: str | None = None) -> Iterator[Microphone]:
    """Open a microphone.

    Parameters
    ----------
    device
        Its number, or part of its name; None for the one that the system prefers.

    Raises
    ------
    InputError
        When sounddevice or PortAudio is not installed, or there is no such microphone.
    """
    library = _library()
    wanted: Any = int(device) if device is not None and device.isdigit() else device
    try:
        rate_hz = round(library.query_devices(wanted, "input")["default_samplerate"])
        stream = library.RawInputStream(
            samplerate=rate_hz, device=wanted, channels=1, dtype="int16", latency=BUFFER_S
        )
    except (library.PortAudioError, ValueError) as error:
        known = ", ".join(microphones()) or "none at all"
        name = "the default one" if device is None else repr(device)
        raise InputError("no such microphone", got=f"{name} ({error})", expected=f"one of {known}") from error
    with stream:
        yield Microphone(stream, rate_hz)


def microphones() -> list[str]:
    """Number and name of every microphone; raises as `microphone` does where nothing is installed."""
    devices = _library().query_devices()
    return [
        f"{number}: {entry['name']}" for number, entry in enumerate(devices) if entry["max_input_channels"]
    ]


def _library() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise InputError("the microphone needs sounddevice", hint="pip install 'voxtoon[live]'") from error
    except OSError as error:
        hint = "install PortAudio (Debian: apt install libportaudio2), or use --web"
        raise InputError("the microphone needs PortAudio", got=error, hint=hint) from error
    return sounddevice
