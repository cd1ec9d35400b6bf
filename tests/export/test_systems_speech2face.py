"""The numbers of the paper's Table 1 and of the decoder after Cole et al., from the declaration alone."""

import subprocess
import sys

import pytest

from voxtoon import InputError
from voxtoon_export.layers import BatchNorm, Conv2d, ConvTranspose2d, Linear, MaxPool, Relu, TimeMean
from voxtoon_export.systems import SYSTEMS, system, variant

FULL = variant("speech2face")
ENCODER, DECODER = FULL.parts["encoder"], FULL.parts["decoder"]

# Output (time, frequency), parameters and multiply-accumulates of every weighted layer for a clip of 6 s.
TABLE_1 = {
    "conv1": ((595, 254, 64), 2_112, 0.310e9),
    "conv2": ((592, 251, 64), 65_600, 9.738e9),
    "conv3": ((589, 248, 128), 131_200, 19.146e9),
    "conv4": ((291, 245, 128), 262_272, 18.690e9),
    "conv5": ((142, 242, 128), 262_272, 9.008e9),
    "conv6": ((68, 239, 256), 524_544, 8.521e9),
    "conv7": ((31, 236, 512), 2_097_664, 15.343e9),
    "conv8": ((14, 117, 512), 4_194_816, 6.870e9),
    "conv9": ((6, 57, 512), 4_194_816, 1.434e9),
    "fc1": ((4096,), 119_541_760, 0.120e9),
    "fc2": ((4096,), 16_781_312, 0.017e9),
}


def numbers(part, kinds, **length):
    """Output shape, parameters and multiply-accumulates of every layer of some kinds, by its name."""
    return {
        step.layer.name: (
            step.output_shape,
            sum(product(shape) for shape in step.layer.weight_shapes(step.input_shape).values()),
            step.layer.macs(step.input_shape),
        )
        for step in part.steps(**length)
        if isinstance(step.layer, kinds)
    }


def product(shape):
    size = 1
    for item in shape:
        size *= item
    return size


def test_the_encoder_is_table_1():
    found = numbers(ENCODER, (Conv2d, Linear), frames=598)
    assert list(found) == list(TABLE_1)
    for name, (shape, parameters, macs) in TABLE_1.items():
        assert found[name][:2] == (shape, parameters)
        assert found[name][2] == pytest.approx(macs, abs=0.6e6)


def test_the_encoder_has_148_million_parameters():
    assert ENCODER.parameters == 148_062_976
    running = [shape for name, shape in ENCODER.tensor_shapes().items() if ".running_" in name]
    assert sum(map(product, running)) == 4_608


@pytest.mark.parametrize(("frames", "macs"), [(598, 89.20e9), (601, 89.54e9), (298, 40.18e9), (301, 40.65e9)])
def test_the_encoder_costs_89_billion_macs_for_6_s(frames, macs):
    assert ENCODER.macs(frames=frames) == pytest.approx(macs, abs=0.006e9)


def test_every_block_is_convolution_relu_norm_and_perhaps_a_pool():
    pooled = (Conv2d, Relu, BatchNorm, MaxPool)
    plain = pooled[:3]
    blocks = (*plain * 2, *pooled * 4, *plain * 2)
    assert tuple(map(type, ENCODER.streamable)) == (*blocks, Conv2d)


def test_the_last_convolution_is_averaged_over_time_before_its_relu_and_norm():
    after = ENCODER.trunk[len(ENCODER.streamable) :][:3]
    assert tuple(map(type, after)) == (TimeMean, Relu, BatchNorm)


def test_the_feature_is_not_bounded():
    assert isinstance(ENCODER.layers[-1], Linear)


@pytest.mark.parametrize(
    ("frames", "steps"),
    [(259, 1), (298, 1), (322, 1), (323, 2), (387, 3), (451, 4), (515, 5), (579, 6), (598, 6), (601, 6)],
)
def test_a_step_every_64_frames_from_259_on(frames, steps):
    assert numbers(ENCODER, Conv2d, frames=frames)["conv9"][0] == (steps, 57, 512)
    assert (ENCODER.minimum_frames, ENCODER.stride_frames) == (259, 64)


def test_258_frames_are_too_few():
    with pytest.raises(InputError, match=r"got 258 frames, expected at least 259"):
        list(ENCODER.steps(frames=258))


def test_the_texture_path_has_55_million_parameters():
    texture = [
        product(shape)
        for name, shape in DECODER.tensor_shapes().items()
        if name.startswith(("trunk_", "texture_"))
    ]
    assert sum(texture) == 55_424_331


def test_the_texture_grows_from_14_to_224_pixels():
    found = numbers(DECODER, (Conv2d, ConvTranspose2d))
    assert found == {
        "texture_up1": ((28, 28, 128), 819_328, 160_563_200),
        "texture_up2": ((56, 56, 64), 204_864, 160_563_200),
        "texture_up3": ((112, 112, 32), 51_232, 160_563_200),
        "texture_up4": ((224, 224, 32), 25_632, 321_126_400),
        "texture_rgb": ((224, 224, 3), 99, 4_816_896),
    }


def test_a_face_is_a_texture_and_68_landmarks():
    assert [(output.name, output.shape) for output in DECODER.outputs] == [
        ("texture", (1, 224, 224, 3)),
        ("landmarks", (1, 68, 2)),
    ]


@pytest.mark.parametrize("name", [name for name in SYSTEMS["speech2face"].variants if name != "speech2face"])
def test_the_parts_of_a_variant_fit_each_other(name):
    chosen = variant(name)
    parts = chosen.parts
    assert parts["encoder"].input.shape[2:] == chosen.front_end.frame_shape
    assert parts["encoder"].outputs[0].shape == parts["decoder"].input.shape
    if "face_encoder" in parts:
        assert parts["face_encoder"].outputs[0].shape == parts["decoder"].input.shape
        assert parts["face_encoder"].role == "evaluation"


@pytest.mark.parametrize("name", ["speech2face-w8", "speech2face-mel-w4", "speech2face-mel-w8"])
def test_small_variants_fit_into_a_wheel(name):
    assert variant(name).parameters <= 2_400_000
    assert variant(name).parts["face_encoder"].parameters <= 300_000


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(InputError, match="unknown system: got wav3pix, expected one of speech2face"):
        system("wav3pix")
    with pytest.raises(InputError, match="unknown variant: got big, expected one of speech2face, "):
        variant("big")
    with pytest.raises(InputError, match="unknown variant of speech2face: got big"):
        system("speech2face").variant("big")


def test_a_declaration_is_read_without_torch():
    code = "import sys, voxtoon_export.systems; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
