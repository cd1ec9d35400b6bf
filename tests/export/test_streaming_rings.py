"""Streaming equals offline: frame by frame, at every length, however the stream is cut."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.streaming_encoders import encoder, encoder_of, frames_for, lively
from voxtoon_export.layers import BatchNorm, Conv2d, LeakyRelu, MaxPool, Relu, ZeroPad
from voxtoon_export.streaming.plan import output_count
from voxtoon_export.streaming.rings import RingEncoder, head_network, offline_trunk

LONGEST = 700
# Observed: exactly 0 on x86-64. Other kernels may round differently for other numbers of frames.
TOLERANCE = 1e-6

ENCODERS = [(front_end, padded) for front_end in ("mel", "complex") for padded in (False, True)]


@pytest.fixture(scope="module", params=ENCODERS, ids=lambda key: f"{key[0]}-{'SAME' if key[1] else 'VALID'}")
def network(request):
    return lively(encoder(request.param[0], padded=request.param[1]))


@torch.inference_mode()
def offline(network, frames):
    """The outputs before the mean; torch itself refuses recordings too short for any."""
    ring = RingEncoder(network)
    if output_count(ring.units, frames.shape[1], ended=True):
        return offline_trunk(network, frames)
    return torch.zeros(1, 0, *ring.units[-1].output_frame_shape)


def assert_same(found, expected):
    assert found.shape == expected.shape
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE * scale)


def assert_equals_offline_at(ring, emitted, network, frames):
    """What came, and what would still come if this were the end."""
    assert_same(torch.cat([*emitted, ring.peek()], dim=1), offline(network, frames))


@pytest.mark.parametrize("padded", [False, True], ids=["VALID", "SAME"])
def test_frame_by_frame_it_is_the_offline_encoder_at_every_length(padded):
    network = lively(encoder("mel", padded=padded))
    frames = frames_for(network.spec, LONGEST)
    ring, emitted = RingEncoder(network), []
    for count in range(1, LONGEST + 1):
        emitted.append(ring.push(frames[:, count - 1 : count]))
        assert_equals_offline_at(ring, emitted, network, frames[:, :count])


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_chunks_give_the_offline_encoder(network, data):
    length = data.draw(st.integers(1, LONGEST))
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    frames = frames_for(network.spec, length)
    ring = RingEncoder(network)
    emitted = [
        ring.push(frames[:, start:stop]) for start, stop in pairwise([0, *sorted(cuts), length])
    ]  # chunks of 0 and 1 frames among them

    assert_equals_offline_at(ring, emitted, network, frames)
    assert ring.state.count == sum(part.shape[1] for part in emitted)


def test_peeking_does_not_disturb_the_stream(network):
    frames = frames_for(network.spec, LONGEST)
    watched, other = RingEncoder(network), RingEncoder(network)
    for start in range(0, LONGEST, 70):
        watched.peek()
        chunk = frames[:, start : start + 70]
        torch.testing.assert_close(watched.push(chunk), other.push(chunk), rtol=0, atol=0)
    torch.testing.assert_close(watched.flush(), other.flush(), rtol=0, atol=0)


def test_the_feature_is_the_encoder_s_at_any_moment(network):
    frames = frames_for(network.spec, LONGEST)
    ring, taken = RingEncoder(network), 0
    for more in (259, 1, 62, 1, 25, 200, 152):
        ring.push(frames[:, taken : taken + more])
        taken += more
        with torch.inference_mode():
            torch.testing.assert_close(ring.feature(), network(frames[:, :taken]), rtol=0, atol=1e-5)


def test_after_a_flush_or_reset_nothing_is_left_of_the_stream(network):
    frames, ring = frames_for(network.spec, 400), RingEncoder(network)
    first = torch.cat([ring.push(frames), ring.flush()], dim=1)
    ring.push(frames_for(network.spec, 77, seed=5))
    ring.reset()
    second = torch.cat([ring.push(frames), ring.flush()], dim=1)

    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_a_clone_goes_its_own_way(network):
    frames = frames_for(network.spec, 600)
    ring = RingEncoder(network)
    ring.push(frames[:, :333])
    clone = ring.clone()
    clone.push(frames_for(network.spec, 100, seed=9))
    again = ring.clone()

    torch.testing.assert_close(again.push(frames[:, 333:]), ring.push(frames[:, 333:]), rtol=0, atol=0)
    assert_same(torch.cat([ring.peek()], dim=1), offline(network, frames)[:, ring.state.count :])


def test_a_stream_can_be_rolled_back(network):
    frames = frames_for(network.spec, 600)
    ring = RingEncoder(network)
    ring.push(frames[:, :333])
    before = ring.state
    ring.push(torch.full_like(frames[:, :200], 1e6))
    ring.state = before
    ring.push(frames[:, 333:])

    assert_same(ring.peek(), offline(network, frames)[:, ring.state.count :])


def test_what_is_kept_does_not_grow(network):
    ring = RingEncoder(network)
    sizes = set()
    for seed in range(8):
        ring.push(frames_for(network.spec, 320, seed=seed))
        sizes.add(sum(part.untyped_storage().nbytes() for part in (*ring.state.rings, ring.state.total)))
    assert len(sizes) == 1


def test_the_weights_are_shared():
    network = lively(encoder("mel"))
    stored = {tensor.data_ptr() for tensor in network.parameters()}
    ring = RingEncoder(network)

    assert {tensor.data_ptr() for layer in ring._layers for tensor in layer.parameters()} <= stored
    assert {tensor.data_ptr() for tensor in head_network(network).parameters()} <= stored


def padding():
    return st.sampled_from([0, 0, 1, 2, 4])


@st.composite
def convolutional(draw):
    """Any convolutional encoder: kernels, strides and padding of all kinds, batch norm and pools between."""
    layers = []
    for number in range(draw(st.integers(1, 4))):
        stride = draw(st.integers(1, 3))
        kernel = draw(st.integers(stride, 5))
        if draw(st.booleans()):
            layers.append(ZeroPad((draw(padding()), 1), (draw(padding()), 0)))
        layers.append(Conv2d(f"conv{number}", 2, (kernel, 2), (stride, 1), (draw(padding()), 1)))
        layers += draw(st.sampled_from([[], [Relu()], [BatchNorm(f"bn{number}"), LeakyRelu(0.3)]]))
        layers += [MaxPool((draw(st.integers(2, 3)), 1))] if draw(st.booleans()) else []
    return encoder_of(layers)


def torch_takes(units, frames):
    """Whether every layer gets a frame: torch makes nothing of none, not even where padding is enough."""
    counts = [output_count(units[:number], frames, ended=True) for number in range(len(units))]
    return all(counts)


@settings(max_examples=40, deadline=None)
@given(part=convolutional(), lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_any_convolutional_encoder_streams(part, lengths):
    network = lively(part)
    frames = frames_for(part, sum(lengths))
    ring, emitted = RingEncoder(network), []
    for start, stop in pairwise(np.cumsum([0, *lengths])):
        emitted.append(ring.push(frames[:, start:stop]))
        if torch_takes(ring.units, stop):
            assert_equals_offline_at(ring, emitted, network, frames[:, :stop])
