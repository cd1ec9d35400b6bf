"""The convolutional voice encoder (``VE_conv``) of github.com/Kacper-Pietkun/Speech-to-face, MIT licence.

Table 1 with frequency before time, and a ReLU at the end. Its face decoder is not ours: see ``others``.
"""

from ..layers import Conv2d
from .layout import Layout

LAYOUT = Layout(
    name="kacper-pietkun",
    title="Kacper-Pietkun/Speech-to-face VE_conv (torch)",
    variant="speech2face-relu",
    parts=("encoder",),
    layers={
        **{f"encoder.conv{number}": f"layer{number}.0" for number in range(1, 10)},
        **{f"encoder.bn{number}": f"layer{number}.2" for number in range(1, 9)},
        "encoder.bn9": "layer9.3",
        "encoder.fc1": "layer10.1",
        "encoder.fc2": "layer11.0",
    },
    axes={Conv2d: (0, 1, 3, 2)},
    frames="magnitude and phase, each to the power 0.3, centred frames, sound brought to -23 dB",
)
