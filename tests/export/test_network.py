import pytest
import torch

from voxtoon_export.network import build
from voxtoon_export.systems import variant, wav2pix
from voxtoon_export.systems.speech2face import Size, decoder, encoder
from voxtoon_export.systems.wav2pix import Size as Wav2PixSize

SMALL = Size(
    width_divisor=32, hidden=16, feature=8, trunk=12, texture_channels=8, texture_floor=4, landmark_hidden=8
)


def seeded(spec):
    torch.manual_seed(0)
    return build(spec).eval()


@pytest.mark.parametrize("spec", [encoder(SMALL), decoder(SMALL)], ids=lambda spec: spec.name)
def test_outputs_come_in_declared_order_and_shape(spec):
    value = torch.rand([spec.minimum_frames if isinstance(size, str) else size for size in spec.input.shape])
    outputs = build(spec).eval()(value)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    assert [tuple(output.shape) for output in outputs] == [output.shape for output in spec.outputs]


def test_a_batch_is_its_items_one_by_one():
    network = seeded(encoder(SMALL))
    frames = torch.rand(3, 300, 257, 2)
    one_by_one = torch.cat([network(item[None]) for item in frames])
    torch.testing.assert_close(network(frames), one_by_one)


def test_windows_of_the_receptive_field_give_the_steps_of_the_whole_clip():
    """The streaming encoder stands on this: before the mean over time the trunk is a filter."""
    spec = encoder(SMALL)
    network = seeded(spec)
    seen = []
    network.get_submodule(f"timemean_{len(spec.streamable)}").register_forward_pre_hook(
        lambda module, values: seen.append(values[0])
    )
    frames = torch.rand(1, spec.minimum_frames + 3 * spec.stride_frames, 257, 2)
    windows = frames.unfold(1, spec.minimum_frames, spec.stride_frames).movedim(-1, 2)[0]
    network(frames)
    network(windows)
    whole, stepwise = seen
    torch.testing.assert_close(stepwise[:, :, 0].movedim(0, 1), whole[0], rtol=0, atol=1e-6)


def test_it_can_be_traced_and_exported_with_an_open_length():
    network = seeded(encoder(SMALL))
    example, other = torch.rand(1, 598, 257, 2), torch.rand(1, 401, 257, 2)
    time = torch.export.Dim("time", min=323)  # torch's guards tell apart one step and more
    exported = torch.export.export(network, (example,), dynamic_shapes=({1: time},)).module()
    traced = torch.jit.trace(network, example)
    torch.testing.assert_close(exported(other), network(other))
    torch.testing.assert_close(traced(other), network(other))


def test_length_one_features_have_length_one():
    network = seeded(encoder(Size(width_divisor=32, hidden=16, feature=8, output_activation="unit")))
    assert torch.linalg.vector_norm(network(torch.rand(1, 259, 257, 2))).item() == pytest.approx(1.0)


def test_all_tensors_of_a_network_are_declared():
    narrow = Wav2PixSize(
        speech_channels=(2,) * 6, hidden=(4, 4), feature=4, image_size_px=16, generator_channels=(4, 4)
    )
    parts = [*variant("speech2face-w8").parts.values(), wav2pix.encoder(narrow), wav2pix.decoder(narrow)]
    for spec in parts:
        tensors = {
            name: tuple(value.shape)
            for name, value in build(spec).state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        assert tensors == spec.tensor_shapes()
