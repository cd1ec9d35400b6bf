import pytest

from voxtoon import InputError
from voxtoon_export.layers import Conv2d, Flatten, Linear, MaxPool, Relu, TimeMean
from voxtoon_export.parts import Branch, PartSpec, TensorSpec

FRAMES = TensorSpec("frames", ("batch", "time", "frequency", "channel"), (1, "time", 9, 2))
TRUNK = (Conv2d("conv1", 4, (4, 4)), Relu(), MaxPool((2, 1)), Conv2d("conv2", 6, (4, 4), (2, 2)), TimeMean())
SPEC = PartSpec(
    "part",
    FRAMES,
    (*TRUNK, Flatten()),
    (Branch("a", ("feature",), (Linear("fc", 5), Relu())), Branch("b", ("feature",))),
)


def test_outputs_have_the_shapes_of_the_ends_of_their_branches():
    assert [(output.name, output.axes, output.shape) for output in SPEC.outputs] == [
        ("a", ("batch", "feature"), (1, 5)),
        ("b", ("batch", "feature"), (1, 12)),
    ]


def test_a_manifest_entry_of_an_input_names_the_open_axis():
    assert FRAMES.to_json() == {
        "name": "frames",
        "shape": [1, "time", 9, 2],
        "dtype": "float32",
        "axes": ["batch", "time", "frequency", "channel"],
    }


def test_only_the_layers_before_the_mean_over_time_can_be_streamed():
    assert SPEC.streamable == TRUNK[:-1]
    assert (SPEC.minimum_frames, SPEC.stride_frames) == (11, 4)


@pytest.mark.parametrize(("frames", "steps"), [(11, 1), (14, 1), (15, 2), (51, 11)])
def test_one_more_step_every_stride(frames, steps):
    before_the_mean = list(SPEC.steps(frames=frames))[len(TRUNK) - 2]
    assert before_the_mean.output_shape[0] == steps


def test_too_few_frames_are_refused_with_the_number_needed():
    with pytest.raises(InputError, match=r"too short an input for part: got 10 frames, expected at least 11"):
        SPEC.macs(frames=10)


def test_parameters_do_not_depend_on_the_length_and_macs_do():
    assert SPEC.parameters == (4 * 2 * 16 + 4) + (6 * 4 * 16 + 6) + (12 * 5 + 5)
    assert SPEC.macs(frames=15) > SPEC.macs() == SPEC.macs(frames=11)


def test_tensors_are_named_after_their_layers():
    assert SPEC.tensor_shapes() == {
        "conv1.weight": (4, 2, 4, 4),
        "conv1.bias": (4,),
        "conv2.weight": (6, 4, 4, 4),
        "conv2.bias": (6,),
        "fc.weight": (5, 12),
        "fc.bias": (5,),
    }
