"""PNG files that any reader opens."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon import InputError
from voxtoon.image_file import encode_png, to_uint8


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_a_png_holds_the_image(height, width, seed):
    image = np.random.default_rng(seed).random((height, width, 3))
    reader = pytest.importorskip("PIL.Image", reason="an independent reader of PNG")
    with reader.open(io.BytesIO(encode_png(image))) as read:
        read.load()
        assert read.format == "PNG"
        assert read.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(read), to_uint8(image))


def test_colours_are_rounded_and_clipped():
    assert to_uint8([-1, 0, 0.5, 0.999, 1, 7]).tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3), (4, 4, 1)])
def test_what_is_no_rgb_image_is_refused(shape):
    with pytest.raises(InputError, match="image: got shape"):
        encode_png(np.zeros(shape))
