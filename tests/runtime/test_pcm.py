"""Headerless sound, byte by byte."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon import InputError
from voxtoon.pcm import PCM_FORMATS, PcmInput, a_law_table, mu_law_table


def quiet(data):
    """Bytes that are finite and small as floats of 32 bits too."""
    return bytes(byte if place % 4 < 3 else byte & 0xBE for place, byte in enumerate(data))


@pytest.mark.parametrize("name", PCM_FORMATS)
@given(data=st.binary(max_size=60).map(quiet), cut=st.integers(0, 60))
def test_bytes_may_be_cut_anywhere(name, data, cut):
    whole, pieces = PcmInput(encoding=name), PcmInput(encoding=name)
    expected = whole.push(data)
    got = np.concatenate([pieces.push(data[:cut]), pieces.push(data[cut:])])
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32


def test_sixteen_bit_samples_are_in_one():
    samples = PcmInput(encoding="s16le").push(np.array([-32768, 0, 16384], "<i2").tobytes())
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
        PcmInput(encoding="s24le")


def test_ffmpeg_writes_pcm_before_a_format():
    assert PcmInput(encoding="pcm_s16le").push(b"\0\x40").tolist() == [0.5]


def test_one_channel_is_heard_and_the_others_are_not():
    frames = np.arange(12, dtype=np.float32).reshape(6, 2) / 16
    for chunk in (frames, frames.ravel(), frames.astype("<f4").tobytes()):
        samples = PcmInput(encoding="f32le", channels=2, channel=1).push(chunk)
        np.testing.assert_array_equal(samples, frames[:, 1])


def test_a_chunk_may_end_in_the_middle_of_a_frame():
    data = np.arange(12, dtype="<i2").tobytes()
    pieces = PcmInput(encoding="s16le", channels=3, channel=2)
    samples = np.concatenate([pieces.push(data[start : start + 5]) for start in range(0, len(data), 5)])
    assert (samples * 32768).tolist() == [2, 5, 8, 11]


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (b"\0\0", "a chunk of bytes: expected an array, or a declared encoding"),
        (np.zeros((4, 2), np.float32), r"samples: got shape \(4, 2\), expected one dimension"),
        (np.zeros(4, np.int32), "samples: got int32"),
        (np.array([0.5, np.nan], np.float32), "NaN or infinity in 1 of 2"),
        (np.array([12_000.0], np.float32), "divide 16-bit values by 32768"),
    ],
)
def test_what_is_no_sound_is_refused(chunk, message):
    with pytest.raises(InputError, match=message):
        PcmInput().push(chunk)


def test_of_a_bad_chunk_of_bytes_nothing_is_kept():
    source = PcmInput(encoding="f32le")
    source.push(b"\0\0")
    with pytest.raises(InputError, match="NaN"):
        source.push(b"\0\0" + np.array([np.nan], "<f4").tobytes())
    assert source.push(np.array([0, 0.5], "<f4").tobytes()[2:]).tolist() == [0.0, 0.5]


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="channel 2: expected 0 to 1, for 2 channels"):
        PcmInput(channels=2, channel=2)
