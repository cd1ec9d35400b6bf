"""The teacher: kernel ridge regression from a speaker network's views of a voice to its picture.

It has nothing to train but one linear solve, and on so few voices it is the best single predictor of all that
were tried. Its opinion steadies the target of the published voices, of which it then must not have heard the
speaker, and is all the target that changed voices have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class KernelSettings:
    """Of each view's regression.

    Attributes
    ----------
    ridge
        Added to the diagonal of a kernel with ones there.
    sharpness
        The kernel is exp(-sharpness d^2 / median d^2), one value per view.
    folds
        Parts of the speakers, for the opinion on voices whose speaker is left out.
    """

    ridge: float = 0.3
    sharpness: tuple[float, ...] = (1.0, 0.3, 0.3)
    folds: int = 10


@dataclass(frozen=True)
class KernelTeacher:
    """Fitted regressions, one per view; the opinion is their mean."""

    voices: Floats  # [n, views, D], standardised
    centre: Floats  # [views, D]
    deviation: Floats  # [views, D]
    median: tuple[float, ...]
    weights: Doubles  # [views, n, k]
    mean: Doubles  # [k]
    settings: KernelSettings

    def opinion(self, voices: Floats) -> Floats:
        """What voices [m, views, D] let expect, [m, k]."""
        heard = (voices - self.centre) / self.deviation
        each = [
            np.exp(-sharpness / median * _distances(heard[:, view], self.voices[:, view]))
            @ self.weights[view]
            for view, (sharpness, median) in enumerate(zip(self.settings.sharpness, self.median, strict=True))
        ]
        return np.asarray(np.mean(each, axis=0) + self.mean, np.float32)


def fit_kernel_teacher(voices: Floats, wanted: Floats, settings: KernelSettings) -> KernelTeacher:
    """Fit on voices [n, views, D] and what they are to give, [n, k]."""
    centre, deviation = voices.mean(axis=0), voices.std(axis=0) + 1e-6
    standard = (voices - centre) / deviation
    mean = wanted.mean(axis=0, dtype=np.float64)
    medians, weights = [], []
    for view, sharpness in enumerate(settings.sharpness):
        distances = _distances(standard[:, view], standard[:, view])
        medians.append(float(np.median(distances)))
        kernel = np.exp(-sharpness / medians[-1] * distances)
        weights.append(np.linalg.solve(kernel + settings.ridge * np.eye(len(kernel)), wanted - mean))
    return KernelTeacher(standard, centre, deviation, tuple(medians), np.stack(weights), mean, settings)


def opinion_without_speaker(
    voices: Floats, wanted: Floats, speakers: Sequence[str], settings: KernelSettings, *, seed: int
) -> Floats:
    """The opinion on each voice of a teacher that never heard its speaker, [n, k]."""
    names = sorted(set(speakers))
    fold_of = dict(
        zip(names, np.random.default_rng(seed).permutation(len(names)) % settings.folds, strict=True)
    )
    folds = np.array([fold_of[speaker] for speaker in speakers])
    opinion = np.empty(wanted.shape, np.float32)
    for fold in range(settings.folds):
        left_out = folds == fold
        if left_out.any():
            teacher = fit_kernel_teacher(voices[~left_out], wanted[~left_out], settings)
            opinion[left_out] = teacher.opinion(voices[left_out])
    return opinion


def _distances(a: Floats, b: Floats) -> Doubles:
    """Squared distances between rows, [len(a), len(b)]."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * a @ b.T
    return np.asarray(np.maximum(squares, 0.0))
