"""Convolutions of the evaluator against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.coreml_programs import computed, mb, normal
from voxtoon.errors import CheckError


def conv_in_torch(x, weight, bias=None, *, pad=(), **options):
    """torch pads the last axis first."""
    numbers = [number for before, after in reversed(pad) for number in (before, after)]
    convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[x.ndim - 2]
    bias = None if bias is None else torch.from_numpy(bias)
    padded = functional.pad(torch.from_numpy(x), numbers)
    return convolve(padded, torch.from_numpy(weight), bias, **options).numpy()


def transposed_in_torch(x, weight, bias=None, **options):
    convolve = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}[x.ndim - 2]
    bias = None if bias is None else torch.from_numpy(bias)
    return convolve(torch.from_numpy(x), torch.from_numpy(weight), bias, **options).numpy()


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 3)])
@pytest.mark.parametrize("pad", [None, [(1, 1), (2, 2)], [(0, 3), (2, 1)]])
def test_a_convolution_is_torchs(strides, dilations, pad):
    x, weight, bias = normal(2, 4, 11, 12), normal(6, 4, 3, 2, seed=1), normal(6, seed=2)
    padding = {"pad_type": "valid"} if pad is None else {"pad_type": "custom", "pad": np.ravel(pad)}
    found = computed(
        lambda x: mb.conv(x=x, weight=weight, bias=bias, strides=strides, dilations=dilations, **padding), x=x
    )
    wanted = conv_in_torch(x, weight, bias, stride=strides, dilation=dilations, pad=pad or ())
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_see_their_own_channels_only(groups):
    x, weight = normal(1, 4, 6, 5), normal(8, 4 // groups, 3, 3, seed=1)
    found = computed(lambda x: mb.conv(x=x, weight=weight, groups=groups), x=x)
    np.testing.assert_allclose(found, conv_in_torch(x, weight, groups=groups), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shape", "kernel"), [((1, 3, 20), (5, 3, 4)), ((1, 2, 5, 6, 4), (3, 2, 2, 3, 2))])
def test_one_and_three_axes_are_as_two(shape, kernel):
    x, weight = normal(*shape), normal(*kernel, seed=1)
    found = computed(lambda x: mb.conv(x=x, weight=weight), x=x)
    np.testing.assert_allclose(found, conv_in_torch(x, weight), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["same", "same_lower"])
@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_makes_one_step_per_stride_and_pads_one_end_more(kind, size, kernel, stride):
    x, weight = normal(1, 2, size), normal(3, 2, kernel, seed=1)
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    before = total // 2 if kind == "same" else total - total // 2
    found = computed(lambda x: mb.conv(x=x, weight=weight, strides=[stride], pad_type=kind), x=x)
    assert found.shape[-1] == -(-size // stride)
    wanted = conv_in_torch(x, weight, stride=stride, pad=[(before, total - before)])
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_convolution_with_weights_computed_on_the_way():
    x, weight = normal(1, 2, 6, 6), normal(3, 2, 3, 3, seed=1)
    found = computed(lambda x, weight: mb.conv(x=x, weight=weight), x=x, weight=weight)
    np.testing.assert_allclose(found, conv_in_torch(x, weight), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("dilations", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_a_transposed_convolution_is_torchs(strides, dilations, padding):
    x, weight, bias = normal(2, 4, 5, 6), normal(4, 3, 5, 4, seed=1), normal(3, seed=2)
    found = computed(
        lambda x: mb.conv_transpose(
            x=x,
            weight=weight,
            bias=bias,
            strides=strides,
            dilations=dilations,
            pad_type="custom",
            pad=[padding] * 4,
        ),
        x=x,
    )
    wanted = transposed_in_torch(x, weight, bias, stride=strides, dilation=dilations, padding=padding)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_transposed_convolution_in_groups(groups):
    x, weight = normal(1, 4, 5, 5), normal(4, 3, 3, 3, seed=1)
    found = computed(lambda x: mb.conv_transpose(x=x, weight=weight, groups=groups, strides=[2, 2]), x=x)
    wanted = transposed_in_torch(x, weight, groups=groups, stride=2)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_transposed_convolution_of_one_axis():
    x, weight = normal(1, 4, 9), normal(4, 2, 15, seed=1)
    found = computed(lambda x: mb.conv_transpose(x=x, weight=weight, strides=[4]), x=x)
    np.testing.assert_allclose(found, transposed_in_torch(x, weight, stride=4), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("extra", [0, 1])
def test_an_output_shape_chooses_among_the_shapes_that_the_padding_allows(extra):
    x, weight = normal(1, 4, 7, 7), normal(4, 2, 5, 5, seed=1)
    size = 13 + extra
    found = computed(
        lambda x: mb.conv_transpose(
            x=x,
            weight=weight,
            strides=[2, 2],
            pad_type="custom",
            pad=[2] * 4,
            output_shape=[1, 2, size, size],
        ),
        x=x,
    )
    wanted = transposed_in_torch(x, weight, stride=2, padding=2, output_padding=extra)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [12, 15])
def test_an_output_shape_that_no_padding_of_the_kind_gives_is_refused(size):
    x, weight = normal(1, 4, 7, 7), normal(4, 2, 5, 5, seed=1)
    with pytest.raises(CheckError, match="output_shape does not go with the padding"):
        computed(
            lambda x: mb.conv_transpose(
                x=x,
                weight=weight,
                strides=[2, 2],
                pad_type="custom",
                pad=[2] * 4,
                output_shape=[1, 2, size, size],
            ),
            x=x,
        )


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (5, 2, 1), (2, 2, 0)])
def test_same_padding_transposed_multiplies_the_size(kernel, stride, padding):
    x, weight = normal(1, 3, 6, 6), normal(3, 2, kernel, kernel, seed=1)
    found = computed(
        lambda x: mb.conv_transpose(x=x, weight=weight, strides=[stride] * 2, pad_type="same"), x=x
    )
    assert found.shape[2:] == (6 * stride, 6 * stride)
    # What one convolution with this padding makes of the result is as large as the input was.
    whole = transposed_in_torch(x, weight, stride=stride, padding=padding)
    np.testing.assert_allclose(found, whole[:, :, : 6 * stride, : 6 * stride], rtol=1e-5, atol=1e-5)


def test_a_stride_larger_than_the_kernel_leaves_nothing_between_but_the_bias():
    x, weight, bias = normal(1, 1, 3), normal(1, 1, 2, seed=1), np.float32([0.5])
    found = computed(
        lambda x: mb.conv_transpose(x=x, weight=weight, bias=bias, strides=[4], pad_type="same"), x=x
    )
    assert found.shape[-1] == 12
    np.testing.assert_allclose(found[0, 0, [2, 3, 6, 7, 10, 11]], 0.5)
