"""voxtoon: a caller's cartoon from a few seconds of voice, on the device."""

from voxtoon.errors import CheckError, InputError, VoxtoonError

__version__ = "0.1.0"
__all__ = ["CheckError", "InputError", "VoxtoonError", "__version__"]
