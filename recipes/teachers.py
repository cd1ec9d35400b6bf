"""Teachers: an ensemble of small 1-D networks whose opinion of a voice steadies what the encoder is drawn to.

A published face is one noisy sample of what fits its voice. Networks that differ in their seed and see the
whole spectrum at once agree on the part that generalises; the encoder is trained on a blend of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recipes.pool import Pool, mask


@dataclass(frozen=True)
class TeacherSettings:
    """How each teacher is trained.

    Attributes
    ----------
    versions
        Of their pool of voices, where the variant has another front end.
    companion_weight
        Of the exaggerated face, a second target.
    """

    count: int = 3
    width: int = 192
    epochs: int = 100
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    crop_frames: int = 298
    versions: int = 12
    clean: float = 0.15
    companion_weight: float = 0.5


class Teacher(nn.Module):
    """Five 1-D convolutions over log-mel frames, mean and deviation over time, two fully connected layers.

    Parameters
    ----------
    bins, outputs
        Number of mel bins and of values to predict.
    width
        Channels.
    """

    def __init__(self, *, bins: int, outputs: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = bins
        for kernel, stride, dilation, out in (
            (5, 2, 1, width),
            (5, 2, 1, width),
            (3, 1, 1, width),
            (3, 1, 2, width),
            (1, 1, 1, 2 * width),
        ):
            layers += [
                nn.Conv1d(channels, out, kernel, stride, dilation=dilation),
                nn.BatchNorm1d(out),
                nn.ReLU(),
            ]
            channels = out
        self.trunk = nn.Sequential(nn.BatchNorm1d(bins), *layers)
        self.head = nn.Sequential(
            nn.BatchNorm1d(2 * channels),
            nn.Dropout(0.1),
            nn.Linear(2 * channels, 256),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(256, outputs),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Frames [n, time, bins, 1] to predictions [n, outputs]."""
        maps = self.trunk(frames[..., 0].transpose(1, 2)).float()
        deviation = (maps.var(dim=2) + 1e-5).sqrt()
        prediction: Tensor = self.head(torch.cat([maps.mean(dim=2), deviation], dim=1))
        return prediction


def train_teachers(
    pool: Pool,
    components: Tensor,
    companions: Tensor,
    settings: TeacherSettings,
    *,
    seed: int,
    log: Callable[[str], None] = print,
) -> list[Teacher]:
    """Train an ensemble.

    Parameters
    ----------
    pool
        Log-mel frames of the training voices.
    components
        What to predict of each, [n, k].
    companions
        The same of the exaggerated faces: a clearer view of the same feature.
    settings, seed
        How.
    log
        Takes one line per teacher.

    Returns
    -------
    list of Teacher
        In evaluation mode.
    """
    return [
        _train_one(pool, components, companions, settings, seed=seed + number, log=log)
        for number in range(settings.count)
    ]


@torch.no_grad()
def opinion(teachers: list[Teacher], frames: Tensor, *, components: int) -> Tensor:
    """Mean prediction of all teachers for frames [n, time, bins, 1], [n, components]."""
    batches = torch.split(frames, 64)
    each = [torch.cat([teacher(batch.float()) for batch in batches]) for teacher in teachers]
    return torch.stack(each).mean(dim=0)[:, :components]


def _train_one(
    pool: Pool,
    components: Tensor,
    companions: Tensor,
    settings: TeacherSettings,
    *,
    seed: int,
    log: Callable[[str], None],
) -> Teacher:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    targets = torch.cat([components, settings.companion_weight * companions], dim=1)
    teacher = Teacher(bins=pool.frames.shape[3], outputs=targets.shape[1], width=settings.width)
    count = len(targets)
    steps = max(1, count // settings.batch)
    optimiser = torch.optim.AdamW(
        teacher.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=max(2, steps * settings.epochs), pct_start=0.15
    )
    total = 0.0
    for _ in range(settings.epochs):
        total = 0.0
        for voices in np.array_split(rng.permutation(count), steps):
            frames = mask(pool.crop(voices, frames=settings.crop_frames, rng=rng, clean=settings.clean), rng)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found = teacher(frames)
            error = (found.float() - targets[torch.from_numpy(voices)]).square().sum(dim=1).mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            schedule.step()
            total += error.item()
    log(f"teacher of seed {seed}: error {total / steps:.3f}")
    return teacher.eval()
