"""The declaration against what is known of the published program."""

import math
from pathlib import Path

import pytest
import torch

from voxtoon.front_end import clip_front_end
from voxtoon_export.layers import Conv2d
from voxtoon_export.network import build
from voxtoon_export.systems import SYSTEMS, variant
from voxtoon_export.systems.wav2pix import VARIANTS, Size, decoder, encoder

NARROW = Size(
    speech_channels=(2, 2, 2, 2, 2, 4),
    hidden=(6, 5),
    feature=4,
    image_size_px=32,
    generator_channels=(4, 3, 2),
)


def parameters(name):
    return {part.name: part.parameters for part in variant(name).parts.values()}


def test_parameters_are_the_published_programs():
    assert parameters("wav2pix-128") == {"encoder": 11_495_424, "decoder": 13_241_344}
    assert parameters("wav2pix-64") == {"encoder": 11_495_424, "decoder": 3_804_160}
    assert parameters("wav2pix-64-4s")["encoder"] == 14_641_152


def test_batch_norms_keep_3936_numbers_besides():
    part = variant("wav2pix-128").parts["encoder"]
    running = [shape for name, shape in part.tensor_shapes().items() if ".running_" in name]
    assert sum(math.prod(shape) for shape in running) == 3_936


def test_multiplications_are_the_published_programs():
    parts = {name: variant(name).parts for name in ("wav2pix-128", "wav2pix-64", "wav2pix-64-4s")}
    assert round(parts["wav2pix-128"]["encoder"].macs() / 1e9, 3) == 0.119
    assert round(parts["wav2pix-64-4s"]["encoder"].macs() / 1e9, 3) == 0.473
    assert round(parts["wav2pix-128"]["decoder"].macs() / 1e9, 3) == 0.552
    assert round(parts["wav2pix-64"]["decoder"].macs() / 1e9, 3) == 0.105


@pytest.mark.parametrize(
    ("name", "lengths", "flat"),
    [
        ("wav2pix-128", [4000, 1000, 250, 63, 16, 4], 4096),
        ("wav2pix-128-0.7s", [2800, 700, 175, 44, 11, 3], 3072),
        ("wav2pix-128-4s", [16000, 4000, 1000, 250, 63, 16], 16384),
    ],
)
def test_a_window_becomes_a_quarter_at_every_convolution(name, lengths, flat):
    part = variant(name).parts["encoder"]
    steps = [step for step in part.steps() if isinstance(step.layer, Conv2d)]
    assert [step.output_shape[0] for step in steps] == lengths
    assert part.tensor_shapes()["fc1.weight"] == (256, flat)


@pytest.mark.parametrize("name", VARIANTS)
def test_arrays_at_the_edges(name):
    found = variant(name)
    samples = found.front_end.clip_samples
    voice, face = found.parts["encoder"], found.parts["decoder"]
    assert voice.input.to_json()["shape"] == [1, samples, 1]
    assert voice.input.axes == ("batch", "time", "channel")
    assert not voice.has_time
    assert [output.shape for output in voice.outputs] == [face.input.shape] == [(1, 128)]
    (image,) = face.outputs
    assert (image.name, image.shape) == ("image", (1, *[VARIANTS[name].image_size_px] * 2, 3))
    assert found.picture.size_px == VARIANTS[name].image_size_px


def test_names_tell_variants_apart_and_front_ends_too():
    told = {name: (one.front_end, one.parts) for name, one in SYSTEMS["wav2pix"].variants.items()}
    assert variant("wav2pix-64").front_end.division == "float"
    assert variant("wav2pix-64-py2").front_end.division == "py2_floor"
    assert variant("wav2pix-64").parts == variant("wav2pix-64-py2").parts
    assert all(one != other for one in told.values() for other in told.values() if one is not other)


def test_frames_of_its_front_end_go_through_both_parts_to_a_picture():
    torch.manual_seed(0)
    samples = torch.randn(NARROW.front_end.clip_samples).numpy() * 0.1
    frames = torch.from_numpy(clip_front_end(NARROW.front_end).frames(samples))[None]
    picture = build(decoder(NARROW)).eval()(build(encoder(NARROW)).eval()(frames))
    assert picture.shape == (1, 32, 32, 3)
    assert 0 <= picture.min() < picture.max() <= 1


@pytest.mark.parametrize("part", [encoder(NARROW), decoder(NARROW)], ids=lambda part: part.name)
def test_parts_can_be_traced_and_exported(part):
    network = build(part).eval()
    example = torch.rand(part.input.shape)
    expected = network(example)
    torch.testing.assert_close(torch.jit.trace(network, example)(example), expected)
    torch.testing.assert_close(torch.export.export(network, (example,)).module()(example), expected)


def test_the_page_of_systems_tells_their_sizes():
    page = (Path(__file__).resolve().parents[2] / "docs/systems.md").read_text()
    for name in ("speech2face", "wav2pix-128", "wav2pix-64", "wav2pix-64-4s", "wav2pix-128-0.7s"):
        assert all(f"{count:,}" in page for count in parameters(name).values()), name
