"""Poolings of the evaluator against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.coreml_programs import computed, mb, normal

CASES = [
    # kernel, strides, padding
    ((2, 1), (2, 1), (0, 0)),
    ((3, 2), (1, 2), (1, 1)),
    ((4, 3), (3, 2), (2, 0)),
    ((2, 2), (3, 3), (0, 1)),
]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("kernel", "strides", "padding"), CASES)
def test_max_pooling_is_torchs(kernel, strides, padding, ceil):
    x = normal(2, 3, 11, 10)
    found = computed(
        lambda x: mb.max_pool(
            x=x,
            kernel_sizes=kernel,
            strides=strides,
            pad_type="custom",
            pad=np.repeat(padding, 2),
            ceil_mode=ceil,
        ),
        x=x,
    )
    wanted = functional.max_pool2d(torch.from_numpy(x), kernel, strides, padding, ceil_mode=ceil)
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize(("kernel", "strides", "padding"), CASES)
def test_average_pooling_is_torchs(kernel, strides, padding, exclude, ceil):
    x = normal(2, 3, 11, 10)
    found = computed(
        lambda x: mb.avg_pool(
            x=x,
            kernel_sizes=kernel,
            strides=strides,
            pad_type="custom",
            pad=np.repeat(padding, 2),
            ceil_mode=ceil,
            exclude_padding_from_average=exclude,
        ),
        x=x,
    )
    wanted = functional.avg_pool2d(
        torch.from_numpy(x), kernel, strides, padding, ceil_mode=ceil, count_include_pad=not exclude
    )
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_a_window_that_ceil_mode_would_start_after_the_input_is_dropped():
    x = normal(1, 1, 4)
    found = computed(
        lambda x: mb.max_pool(
            x=x, kernel_sizes=[2], strides=[3], pad_type="custom", pad=[1, 1], ceil_mode=True
        ),
        x=x,
    )
    wanted = functional.max_pool1d(torch.from_numpy(x), 2, 3, 1, ceil_mode=True)
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("kind", ["same", "same_lower"])
def test_same_padding_is_never_the_greatest_and_counts_as_zeros_unless_excluded(kind):
    x = -1 - np.abs(normal(1, 1, 7))
    before = {"same": (1, 2), "same_lower": (2, 1)}[kind]
    ends = [np.pad(x, [(0, 0), (0, 0), before], constant_values=fill) for fill in (-np.inf, 0)]
    options = {"kernel_sizes": [4], "strides": [1], "pad_type": kind}
    greatest = computed(lambda x: mb.max_pool(x=x, **options), x=x)
    np.testing.assert_array_equal(greatest, functional.max_pool1d(torch.from_numpy(ends[0]), 4, 1).numpy())
    mean = computed(lambda x: mb.avg_pool(x=x, **options), x=x)
    np.testing.assert_allclose(mean, functional.avg_pool1d(torch.from_numpy(ends[1]), 4, 1).numpy(), 1e-5)
    of_input = computed(lambda x: mb.avg_pool(x=x, exclude_padding_from_average=True, **options), x=x)
    counts = np.convolve(np.pad(np.ones(7), before), np.ones(4), "valid")
    np.testing.assert_allclose(of_input, mean * 4 / counts, rtol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_one_and_three_axes_are_as_two(dimensions):
    x = normal(1, 2, *[6, 5, 4][:dimensions])
    pool = {1: functional.max_pool1d, 3: functional.max_pool3d}[dimensions]
    found = computed(
        lambda x: mb.max_pool(x=x, kernel_sizes=[2] * dimensions, strides=[2] * dimensions, pad_type="valid"),
        x=x,
    )
    np.testing.assert_array_equal(found, pool(torch.from_numpy(x), 2).numpy())


def test_l2_pooling_is_the_length_of_each_window():
    x = normal(1, 2, 6, 6)
    found = computed(lambda x: mb.l2_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="valid"), x=x)
    wanted = functional.lp_pool2d(torch.from_numpy(x), 2, 2)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5)
