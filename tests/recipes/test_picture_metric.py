import numpy as np
import pytest
import torch

from recipes.picture_metric import fit_picture_metric


@pytest.fixture
def faces():
    """Pictures that depend linearly on a feature of four numbers."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4)).astype(np.float32)
    directions = rng.normal(size=(4, 56 * 56 * 3)).astype(np.float32)
    pictures = (0.5 + 0.01 * features @ directions).reshape(60, 56, 56, 3)
    return pictures, torch.from_numpy(features)


def test_components_of_a_feature_are_those_of_its_picture(faces):
    pictures, features = faces
    metric = fit_picture_metric(pictures, pictures, features, components=4, ridge=1e-9)
    assert torch.allclose(metric.components(features), metric.components_of(pictures).float(), atol=1e-3)


def test_distances_are_those_of_the_pictures(faces):
    pictures, features = faces
    metric = fit_picture_metric(pictures, pictures, features, components=4, ridge=1e-9)
    apart = (metric.components(features[:1]) - metric.components(features[1:2])).square().sum().sqrt()
    assert apart.item() * metric.scale == pytest.approx(np.linalg.norm(pictures[0] - pictures[1]), rel=1e-3)


def test_all_components_give_the_picture_back(faces):
    pictures, features = faces
    metric = fit_picture_metric(pictures, pictures, features, components=4)
    assert np.allclose(metric.pictures(metric.components_of(pictures)), pictures, atol=1e-4)
    assert torch.allclose(metric.components_of(pictures)[:, 0].std(), torch.tensor(1.0), atol=0.02)


def test_a_typical_feature_shows_the_same_picture_and_nothing_else(faces):
    """Of eight numbers four show: the others come back as their mean, whatever they were."""
    pictures, shown = faces
    hidden = torch.randn(len(shown), 4, generator=torch.Generator().manual_seed(0))
    features = torch.cat([shown, hidden], dim=1)
    metric = fit_picture_metric(pictures, pictures, features, components=4, ridge=1e-9)
    typical = metric.typical(metric.components(features))
    assert torch.allclose(metric.components(typical), metric.components(features), atol=1e-2)
    assert typical[:, 4:].std() < 0.5 * hidden.std()
