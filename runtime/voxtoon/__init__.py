"""voxtoon: a caller's cartoon from a few seconds of voice, on the device."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxtoon.errors import CheckError, InputError, VoxtoonError

if TYPE_CHECKING:
    from voxtoon.avatar import draw_avatar
    from voxtoon.bundle import Bundle, open_bundle
    from voxtoon.face import Face
    from voxtoon.pipeline import Pipeline
    from voxtoon.stream import CallStream, Update

__version__ = "0.1.0"
__all__ = [
    "Bundle",
    "CallStream",
    "CheckError",
    "Face",
    "InputError",
    "Pipeline",
    "Update",
    "VoxtoonError",
    "__version__",
    "draw_avatar",
    "open_bundle",
]

# Found on first use: `import voxtoon` alone loads neither numpy nor an engine.
_LAZY = {
    "Bundle": "voxtoon.bundle",
    "CallStream": "voxtoon.stream",
    "Face": "voxtoon.face",
    "Pipeline": "voxtoon.pipeline",
    "Update": "voxtoon.stream",
    "draw_avatar": "voxtoon.avatar",
    "open_bundle": "voxtoon.bundle",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'voxtoon' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
