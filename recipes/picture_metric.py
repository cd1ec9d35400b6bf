"""How far apart two features draw two faces, without drawing them.

The decoder is so nearly linear about the mean face that a ridge regression from features to the principal
components of the 56 x 56 faces replaces it: the squared distance between two regressed points is the squared
error of the picture, which is what fidelity is measured by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class PictureMetric:
    """From features to principal components of pictures, in units of the first one's standard deviation.

    Attributes
    ----------
    weight, offset
        [components, D] and [components] of the regression.
    back_weight, back_offset
        [D, components] and [D] of the regression the other way: the typical feature of a picture.
    mean, axes, scale
        Mean picture [pixels], components [components, pixels], and the unit.
    """

    weight: Tensor
    offset: Tensor
    back_weight: Tensor
    back_offset: Tensor
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    scale: float

    def components(self, feature: Tensor) -> Tensor:
        """Components of the pictures that these features would give, [n, components]."""
        return feature @ self.weight.T + self.offset

    def typical(self, components: Tensor) -> Tensor:
        """The mean feature of the faces with these components, [n, D]."""
        return components @ self.back_weight.T + self.back_offset

    def components_of(self, pictures: NDArray[np.float32]) -> Tensor:
        """Components of 56 x 56 pictures, [n, components]."""
        flat = pictures.reshape(len(pictures), -1)
        return torch.from_numpy((flat - self.mean) @ self.axes.T / self.scale)

    def pictures(self, components: Tensor) -> NDArray[np.float32]:
        """The pictures of these components, [n, 56, 56, 3]."""
        flat = components.numpy() * self.scale @ self.axes + self.mean
        side = round((flat.shape[1] / 3) ** 0.5)
        return np.asarray(flat.reshape(-1, side, side, 3), np.float32)


def fit_picture_metric(
    pictures: NDArray[np.float32],
    all_pictures: NDArray[np.float32],
    all_features: Tensor,
    *,
    components: int = 40,
    ridge: float = 1e-3,
) -> PictureMetric:
    """Principal components of some pictures, and their regression on features.

    Parameters
    ----------
    pictures
        That the components are of, [n, 56, 56, 3].
    all_pictures, all_features
        That the regression is made on, with the features the face encoder gives them.
    components
        How many; never more than there are pictures.
    ridge
        Of the regression, as a share of the features' mean variance.
    """
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    _, deviations, axes = np.linalg.svd(flat - mean, full_matrices=False)
    axes, scale = axes[:components], float(deviations[0]) / len(flat) ** 0.5
    wanted = (all_pictures.reshape(len(all_pictures), -1) - mean) @ axes.T / scale
    features = all_features.double().numpy()
    weight, offset = _regress(features, wanted, ridge=ridge)
    back_weight, back_offset = _regress(features @ weight.T + offset, features, ridge=ridge)
    return PictureMetric(
        weight=torch.from_numpy(weight).float(),
        offset=torch.from_numpy(offset).float(),
        back_weight=torch.from_numpy(back_weight).float(),
        back_offset=torch.from_numpy(back_offset).float(),
        mean=mean.astype(np.float32),
        axes=axes.astype(np.float32),
        scale=scale,
    )


def _regress(
    given: NDArray[np.float64], wanted: NDArray[np.float64], *, ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and offset of ``wanted = given @ weight.T + offset``."""
    centre = given.mean(axis=0)
    centred = given - centre
    gram = centred.T @ centred
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    weight = np.linalg.solve(gram, centred.T @ (wanted - wanted.mean(axis=0))).T
    return weight, wanted.mean(axis=0) - weight @ centre
