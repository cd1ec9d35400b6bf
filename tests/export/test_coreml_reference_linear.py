"""Products of matrices and normalisations of the evaluator against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.coreml_programs import computed, mb, normal


@pytest.mark.parametrize("shape", [(1, 6), (4, 6), (2, 3, 6)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_a_linear_layer_is_torchs(shape, with_bias):
    x, weight, bias = normal(*shape), normal(5, 6, seed=1), normal(5, seed=2)
    given = {"bias": bias} if with_bias else {}
    found = computed(lambda x: mb.linear(x=x, weight=weight, **given), x=x)
    arrays = [torch.from_numpy(array) for array in (x, weight, *given.values())]
    np.testing.assert_allclose(found, functional.linear(*arrays).numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("of_x", [False, True])
@pytest.mark.parametrize("of_y", [False, True])
def test_a_product_of_matrices_transposes_either(of_x, of_y):
    x = normal(2, 4, 3) if of_x else normal(2, 3, 4)
    y = normal(5, 4, seed=1) if of_y else normal(4, 5, seed=1)
    found = computed(lambda x, y: mb.matmul(x=x, y=y, transpose_x=of_x, transpose_y=of_y), x=x, y=y)
    left, right = torch.from_numpy(x), torch.from_numpy(y)
    wanted = (left.mT if of_x else left) @ (right.mT if of_y else right)
    np.testing.assert_allclose(found, wanted.numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 5, 4)])
@pytest.mark.parametrize("affine", [False, True])
def test_batch_normalisation_is_torchs(shape, affine):
    x, mean, variance = normal(*shape), normal(3, seed=1), np.abs(normal(3, seed=2))
    given = {"gamma": normal(3, seed=3), "beta": normal(3, seed=4)} if affine else {}
    found = computed(lambda x: mb.batch_norm(x=x, mean=mean, variance=variance, epsilon=1e-3, **given), x=x)
    arrays = [torch.from_numpy(array) for array in (x, mean, variance, *given.values())]
    np.testing.assert_allclose(found, functional.batch_norm(*arrays, eps=1e-3).numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("affine", [False, True])
def test_instance_normalisation_is_torchs(affine):
    x = 3 + normal(2, 3, 5, 4)
    given = {"gamma": normal(3, seed=3), "beta": normal(3, seed=4)} if affine else {}
    found = computed(lambda x: mb.instance_norm(x=x, epsilon=1e-4, **given), x=x)
    in_torch = {"weight": given.get("gamma"), "bias": given.get("beta")}
    options = {name: torch.from_numpy(array) for name, array in in_torch.items() if array is not None}
    wanted = functional.instance_norm(torch.from_numpy(x), **options, eps=1e-4)
    np.testing.assert_allclose(found, wanted.numpy(), 1e-4, 1e-5)


@pytest.mark.parametrize("axes", [[-1], [2, 3]])
def test_layer_normalisation_is_torchs(axes):
    x = normal(2, 3, 5, 4)
    sizes = [x.shape[axis] for axis in axes]
    gamma, beta = normal(*sizes, seed=1), normal(*sizes, seed=2)
    found = computed(lambda x: mb.layer_norm(x=x, axes=axes, gamma=gamma, beta=beta, epsilon=1e-4), x=x)
    wanted = functional.layer_norm(
        torch.from_numpy(x), sizes, torch.from_numpy(gamma), torch.from_numpy(beta), 1e-4
    )
    np.testing.assert_allclose(found, wanted.numpy(), 1e-4, 1e-5)


def test_l2_normalisation_is_over_the_last_three_axes():
    x = normal(2, 3, 5, 4)
    found = computed(lambda x: mb.l2_norm(x=x, epsilon=1e-6), x=x)
    wanted = functional.normalize(torch.from_numpy(x).flatten(1), dim=1).reshape(x.shape)
    np.testing.assert_allclose(found, wanted.numpy(), 1e-5, 1e-6)
