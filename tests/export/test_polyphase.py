"""A transposed convolution by phases is the same, whatever its kernel, stride and padding."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="lowering needs voxtoon[export]")

from torch import nn  # noqa: E402

from voxtoon_export.polyphase import PolyphaseConvTranspose2d, has_phases  # noqa: E402


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def transposed_convolutions(draw):
    stride = draw(st.integers(2, 3))
    return nn.ConvTranspose2d(
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(pairs(1, 6)),
        stride,
        draw(pairs(0, 3)),
        draw(pairs(0, stride - 1)),
        bias=draw(st.booleans()),
    ).double()


@settings(max_examples=150, deadline=None)
@given(transposed_convolutions(), pairs(1, 4), st.randoms(use_true_random=False))
def test_it_equals_the_original(original, size, random):
    axes = zip(size, original.kernel_size, original.padding, original.output_padding, strict=True)
    stride = original.stride[0]
    assume(all((n - 1) * stride + k - 2 * p + extra > 0 for n, k, p, extra in axes))
    torch.manual_seed(random.randrange(1000))
    value = torch.randn(2, original.in_channels, *size, dtype=torch.float64)

    assert has_phases(original)
    torch.testing.assert_close(PolyphaseConvTranspose2d(original)(value), original(value))


@pytest.mark.parametrize(
    ("kernel", "padding", "output_padding", "taps"), [(5, 2, 1, 3), (4, 1, 0, 2), (2, 0, 0, 1)]
)
def test_it_has_no_more_taps_than_it_needs(kernel, padding, output_padding, taps):
    original = nn.ConvTranspose2d(1, 1, kernel, 2, padding, output_padding)
    assert PolyphaseConvTranspose2d(original).phases.kernel_size == (taps, taps)


def test_an_activation_of_the_phases_is_one_of_the_output():
    original = nn.ConvTranspose2d(3, 2, 5, 2, 2, 1)
    value = torch.randn(1, 3, 4, 4)
    found = PolyphaseConvTranspose2d(original, nn.ReLU())(value)
    torch.testing.assert_close(found, torch.relu(original(value)))


@pytest.mark.parametrize("options", [{"stride": 1}, {"stride": (2, 3)}, {"stride": 2, "dilation": 2}])
def test_what_it_is_not_for_is_told(options):
    assert not has_phases(nn.ConvTranspose2d(2, 2, 3, **options))
