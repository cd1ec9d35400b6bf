"""Silero's network in torch, operation by operation, for the formats other than ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from voxtoon.errors import CheckError

if TYPE_CHECKING:
    import onnx

HOP_SAMPLES: Final = 128
FRAME_SAMPLES: Final = 256
BINS: Final = 129
UNITS: Final = 128
_CONVOLUTIONS: Final = ((BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))
"""Inputs, outputs and stride of each."""


class VoiceActivityNetwork(nn.Module):
    """One 16 kHz window with the samples before it: to the probability of speech, and the state for the next.

    The magnitudes of four frames, four convolutions over them that leave one, a step of an LSTM, a sigmoid.
    Maps are ``[1, channel, frame, 1]``.
    """

    def __init__(self) -> None:
        super().__init__()
        # A frame is two hops: as a convolution over hops it needs no kernel of 256 samples.
        self.spectrum = nn.Conv2d(HOP_SAMPLES, 2 * BINS, (FRAME_SAMPLES // HOP_SAMPLES, 1), bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (3, 1), (stride, 1), (1, 0))
            for inputs, outputs, stride in _CONVOLUTIONS
        )
        self.of_input = nn.Linear(UNITS, 4 * UNITS)
        self.of_state = nn.Linear(UNITS, 4 * UNITS)
        self.speech = nn.Linear(UNITS, 1)

    def forward(self, window: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``[1, 576]`` samples and ``[2, 1, 128]`` hidden and cell state to ``[1, 1]`` and the next state."""
        mirrored = torch.cat([window, window[:, -HOP_SAMPLES // 2 - 1 : -1].flip(1)], dim=1)
        value = self.spectrum(mirrored.reshape(1, -1, 1, HOP_SAMPLES).permute(0, 3, 1, 2))
        real, imaginary = value[:, :BINS], value[:, BINS:]
        value = torch.sqrt(real * real + imaginary * imaginary)
        for convolution in self.convolutions:
            value = torch.relu(convolution(value))
        gates = self.of_input(value.permute(0, 2, 3, 1).reshape(1, UNITS)) + self.of_state(state[0])
        write, read, keep, new = gates.split(UNITS, dim=1)  # in the order of ONNX
        cell = torch.sigmoid(keep) * state[1] + torch.sigmoid(write) * torch.tanh(new)
        hidden = torch.sigmoid(read) * torch.tanh(cell)
        return torch.sigmoid(self.speech(torch.relu(hidden))), torch.stack([hidden, cell])


def torch_network(model: onnx.ModelProto) -> VoiceActivityNetwork:
    """Build the network with the weights of an ONNX model.

    Parameters
    ----------
    model
        As `voxtoon_export.voice_activity.specialised_model` gives it.

    Raises
    ------
    CheckError
        Its layers are not those of this network.
    """
    network = VoiceActivityNetwork()
    state = network.state_dict()
    weights = _weights(model)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if shapes != {name: tuple(tensor.shape) for name, tensor in state.items()}:
        raise CheckError(
            "the voice activity network has other layers than it is known by",
            got=", ".join(map(str, shapes.values())),
        )
    network.load_state_dict(weights)
    return network.eval()


def _weights(model: onnx.ModelProto) -> dict[str, Tensor]:
    from onnx import numpy_helper

    held = {
        item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in model.graph.initializer
    }
    layers = [node for node in model.graph.node if node.op_type in ("Conv", "LSTM")]
    spectrum, *convolutions, lstm, speech = (
        [held[name] for name in node.input if name in held] for node in layers
    )
    hops = FRAME_SAMPLES // HOP_SAMPLES
    weights = {"spectrum.weight": spectrum[0].reshape(2 * BINS, hops, HOP_SAMPLES, 1).permute(0, 2, 1, 3)}
    for number, (weight, bias) in enumerate(convolutions):
        weights |= {f"convolutions.{number}.weight": weight[..., None], f"convolutions.{number}.bias": bias}
    of_input, of_state, biases = lstm
    weights |= {"of_input.weight": of_input[0], "of_input.bias": biases[0, : 4 * UNITS]}
    weights |= {"of_state.weight": of_state[0], "of_state.bias": biases[0, 4 * UNITS :]}
    return weights | {"speech.weight": speech[0].reshape(1, UNITS), "speech.bias": speech[1]}
