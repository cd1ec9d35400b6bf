import math

import pytest
import torch
from torch import nn

from recipes.loss import DISTILLATION_WEIGHT, FEATURE_WEIGHT, TEMPERATURE, Speech2FaceLoss, distillation


def test_the_constants_are_the_papers():
    assert (FEATURE_WEIGHT, DISTILLATION_WEIGHT, TEMPERATURE) == (0.025, 200.0, 2.0)


def test_distillation_is_the_cross_entropy_of_softened_distributions():
    a, b = torch.tensor([[0.0, 2.0 * math.log(3.0)]]), torch.tensor([[0.0, 0.0]])
    # At T = 2 the teacher says 1/4 and 3/4, the student one half each: - log(1/2) whatever the teacher.
    assert distillation(a, b, temperature=2.0).item() == pytest.approx(math.log(2.0))
    # And the other way round: the student's 1/4 and 3/4 under the teacher's halves.
    expected = -0.5 * (math.log(0.25) + math.log(0.75))
    assert distillation(b, a, temperature=2.0).item() == pytest.approx(expected)


def test_the_temperature_softens():
    a, b = torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, -4.0]])
    assert distillation(a, b, temperature=2.0) < distillation(a, b, temperature=1.0)


def test_each_term_has_its_weight():
    """On features of two numbers, with an f_dec that doubles and an f_VGG that is blind."""
    double, blind = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        double.weight.copy_(2.0 * torch.eye(2))
        blind.weight.zero_()
    loss = Speech2FaceLoss(double, blind)
    voice, face = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 0.0]])
    decoded = 2.0 * 3.0 + 2.0 * 1.0
    unit = 1.0 + 1.0  # squared distance of two unit vectors at a right angle
    expected = decoded + 0.025 * unit + 200.0 * math.log(2.0)
    assert loss(voice, face).item() == pytest.approx(expected)


def test_nothing_is_nearer_to_a_face_than_itself():
    torch.manual_seed(0)
    loss = Speech2FaceLoss(nn.Linear(8, 6), nn.Linear(8, 5))
    face = torch.randn(4, 8)
    assert all(loss(face + 0.1 * torch.randn(4, 8), face) > loss(face, face) for _ in range(20))
