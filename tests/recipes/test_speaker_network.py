"""The speaker network: what it hears does not depend on level, and only the known weights are taken."""

import numpy as np
import pytest
import torch

from recipes.speaker_network import SpeakerNetwork, describe, load_speaker_network
from voxtoon.errors import CheckError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SpeakerNetwork().eval()


@pytest.fixture(scope="module")
def voice():
    return np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)


def test_three_views_of_which_the_first_has_length_one(network, voice):
    with torch.no_grad():
        views = network(torch.rand(5, 160, 40))
    assert views.shape == (5, 3, 256)
    assert torch.allclose(views[:, 0].norm(dim=1), torch.ones(5))
    assert describe(network, voice).shape == (3, 256)


def test_level_is_not_heard(network, voice):
    assert np.allclose(describe(network, voice), describe(network, 0.1 * voice), atol=1e-5)


def test_a_short_voice_is_repeated(network, voice):
    assert np.isfinite(describe(network, voice[:8_000])).all()


def test_other_weights_are_refused(tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"something else")
    with pytest.raises(CheckError, match="other weights"):
        load_speaker_network(file)
