"""The golden files: small, readable without torch, and the same to writer and reader."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtoon.golden import FULL_SCALE, MAXIMUM_VALUES, frames_of, kept_values
from voxtoon_export.checkpoint_manifest import avatar_statistics_entry, face_entry
from voxtoon_export.golden import golden_files, sample_voice
from voxtoon_export.parity import reference_cases


@pytest.fixture(scope="module")
def golden(tiny_checkpoint):
    clip, front_end, face = sample_voice(), tiny_checkpoint.variant.front_end, face_entry(tiny_checkpoint)
    modules = {
        name: (part, tiny_checkpoint.network(name)) for name, part in tiny_checkpoint.variant.parts.items()
    }
    cases = reference_cases(modules, [clip], front_end=front_end, face=face)
    return golden_files(
        clip,
        frames_of(clip.samples, front_end),
        {name: of_part[-1].outputs for name, of_part in cases.items()},
        face=face,
        statistics=avatar_statistics_entry(tiny_checkpoint),
    )


def array(golden, name):
    return np.load(io.BytesIO(golden[name][1]), allow_pickle=False)


def test_every_step_of_the_way_is_kept(golden):
    assert set(golden) == {
        "audio",
        "frames",
        "encoder.feature",
        "decoder.texture",
        "decoder.landmarks",
        "face_encoder.feature",
        "image",
        "avatar",
    }
    assert all(path.startswith("golden/") for path, _ in golden.values())


def test_it_stays_small(golden):
    assert sum(len(content) for _, content in golden.values()) < 400_000


def test_the_audio_is_the_sample_voice_to_the_last_bit(golden):
    samples = np.float32(array(golden, "audio")) / np.float32(FULL_SCALE)

    np.testing.assert_array_equal(samples, sample_voice().samples)


def test_the_image_is_the_face_at_a_quarter_of_its_size(golden):
    image = array(golden, "image")

    assert image.shape == (1, 56, 56, 3)
    assert 0 <= image.min() < image.max() <= 1


def test_the_avatar_is_a_set_of_numbers(golden):
    numbers = json.loads(golden["avatar"][1])

    assert all(-1 <= value <= 1 for value in numbers.values())
    assert any(numbers.values())


def test_without_a_decoder_there_is_no_face(tiny_checkpoint):
    clip = sample_voice()
    frames = frames_of(clip.samples, tiny_checkpoint.variant.front_end)
    files = golden_files(
        clip,
        frames,
        {"encoder": {"feature": frames[0, :1, :16, 0]}},
        face=face_entry(tiny_checkpoint),
        statistics=None,
    )

    assert set(files) == {"audio", "frames", "encoder.feature"}


@given(st.integers(1, 200_000))
def test_of_a_large_array_every_kth_value_is_kept(size):
    kept = kept_values(np.arange(size))

    assert min(size, MAXIMUM_VALUES // 2) <= len(kept) <= MAXIMUM_VALUES
    assert len(np.unique(np.diff(kept))) <= 1
    assert kept[0] == 0


def test_a_small_array_keeps_its_shape():
    assert kept_values(np.zeros((1, 68, 2))).shape == (1, 68, 2)
