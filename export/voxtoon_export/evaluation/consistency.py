"""Whether two clips of one speaker give more alike avatars than clips of two speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Consistency:
    """Mean distances between clips, of one speaker and of two; NaN where there is no such pair."""

    same: float
    different: float
    same_pairs: int
    different_pairs: int

    @property
    def ratio(self) -> float:
        """Same-speaker over different-speaker distance: 0 is a fixed face, 1 tells nothing of the speaker."""
        return self.same / self.different if self.different > 0.0 else float("nan")


def consistency(vectors: ArrayLike, speakers: Sequence[str]) -> Consistency:
    """Compare the distances between clips of one speaker with those between speakers.

    Parameters
    ----------
    vectors : array_like
        ``[N, P]``, one row per clip, its columns in comparable units.
    speakers : sequence of str
        The speaker of each clip. Only those with several clips are looked at.

    Returns
    -------
    Consistency
        Mean Euclidean distances and the number of pairs behind them.
    """
    names = np.asarray(speakers)
    several = np.array([np.sum(names == name) > 1 for name in names], dtype=bool)
    rows = np.asarray(vectors, dtype=np.float64)[several]
    names = names[several]
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    once = np.triu(np.ones(distances.shape, dtype=bool), k=1)
    alike = names[:, None] == names[None]
    same, different = distances[once & alike], distances[once & ~alike]
    return Consistency(
        same=float(same.mean()) if same.size else float("nan"),
        different=float(different.mean()) if different.size else float("nan"),
        same_pairs=int(same.size),
        different_pairs=int(different.size),
    )
