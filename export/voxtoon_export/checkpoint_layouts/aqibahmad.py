"""The voice encoder of github.com/aqibahmad/speech2face (no licence is given there).

Table 1, ending in a feature of length 1. Its face decoder is another than ours: see ``others``.
"""

from .layout import Layout

_CONVOLUTIONS = (0, 3, 6, 10, 14, 18, 22, 25, 28)
_NORMS = (2, 5, 8, 12, 16, 20, 24, 27, 31)

LAYOUT = Layout(
    name="aqibahmad",
    title="aqibahmad/speech2face VoiceEncoder (torch)",
    variant="speech2face-unit",
    parts=("encoder",),
    layers={
        **{f"encoder.conv{number}": f"conv.{place}" for number, place in enumerate(_CONVOLUTIONS, start=1)},
        **{f"encoder.bn{number}": f"conv.{place}" for number, place in enumerate(_NORMS, start=1)},
        "encoder.fc1": "linear.0",
        "encoder.fc2": "linear.2",
    },
    frames="magnitude to the power 0.3, and phase in radians",
)
