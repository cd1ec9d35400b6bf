"""The Keras voice encoder of github.com/saiteja-talluri/Speech2Face, MIT licence.

Table 1 as it is; its average over six steps is the average over time for the six seconds it was trained on.
"""

from ..layers import BatchNorm, Conv2d, Linear
from .layout import Layout

_KERNEL = {"weight": "kernel"}


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


LAYOUT = Layout(
    name="saiteja-talluri",
    title="saiteja-talluri/Speech2Face (Keras)",
    variant="speech2face",
    parts=("encoder",),
    layers={
        **{f"encoder.conv{number + 1}": _numbered("conv2d", number) for number in range(9)},
        **{f"encoder.bn{number + 1}": _numbered("batch_normalization", number) for number in range(9)},
        "encoder.fc1": "dense",
        "encoder.fc2": "dense_1",
    },
    separator="/",
    tensors={
        Conv2d: _KERNEL,
        Linear: _KERNEL,
        BatchNorm: {
            "weight": "gamma",
            "bias": "beta",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        },
    },
    axes={Conv2d: (3, 2, 0, 1), Linear: (1, 0)},
    flattened_channel_last=True,
    epsilon=1e-3,
    frames="magnitude to the power 0.3, and phase in radians",
)
