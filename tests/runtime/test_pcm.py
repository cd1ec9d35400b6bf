"""Headerless sound, byte by byte."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon import InputError
from voxtoon.pcm import PCM_FORMATS, PcmDecoder, a_law_table, mu_law_table


@pytest.mark.parametrize("name", PCM_FORMATS)
@given(data=st.binary(max_size=60), cut=st.integers(0, 60))
def test_bytes_may_be_cut_anywhere(name, data, cut):
    whole, pieces = PcmDecoder(name), PcmDecoder(name)
    expected = whole.push(data)
    got = np.concatenate([pieces.push(data[:cut]), pieces.push(data[cut:])])
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32


def test_sixteen_bit_samples_are_in_one():
    samples = PcmDecoder("s16le").push(np.array([-32768, 0, 16384], "<i2").tobytes())
    assert samples.tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (mu_law_table, {0x00: -32124, 0x80: 32124, 0xFF: 0, 0x7F: 0, 0x8F: 16764, 0xEF: 132}),
        (a_law_table, {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0x80: 5504}),
    ],
)
def test_telephone_codes_are_those_of_g711(table, codes):
    assert {code: table()[code] * 32768 for code in codes} == codes


@pytest.mark.parametrize(("name", "table"), [("ulaw2lin", mu_law_table), ("alaw2lin", a_law_table)])
def test_telephone_codes_agree_with_an_older_implementation(name, table):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audioop = pytest.importorskip("audioop", reason="left Python in 3.13")
    reference = np.frombuffer(getattr(audioop, name)(bytes(range(256)), 2), np.int16)
    np.testing.assert_array_equal(table() * 32768, reference)


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(InputError, match="PCM format: got 's24le', expected s16le, f32le, mulaw, alaw"):
        PcmDecoder("s24le")
