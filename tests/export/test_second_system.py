"""A system with another front end and another kind of face goes the whole way, through the same commands."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import voxtoon
from voxtoon.avatar import HAIR_MEASUREMENTS, draw_avatar
from voxtoon.cli import main
from voxtoon.front_end import clip_front_end
from voxtoon.verification import verify
from voxtoon_export import exporter
from voxtoon_export.checkpoint import Checkpoint
from voxtoon_export.golden import sample_voice
from voxtoon_export.network import build
from voxtoon_export.systems import wav2pix

torch = pytest.importorskip("torch", reason="exporting needs voxtoon[export]")
ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 16_000
NARROW = wav2pix.Size(
    speech_channels=(4, 4, 8, 8, 8, 16),
    hidden=(16, 16),
    feature=8,
    image_size_px=64,
    generator_channels=(16, 16, 8, 8),
)
LARGER = replace(NARROW, image_size_px=128, generator_channels=(16, 16, 8, 8, 8))
FORMATS = ("onnx", "litert", "coreml")


def random_checkpoint(size):
    """Random weights, large enough that voices make a difference to the picture."""
    torch.manual_seed(3)
    variant = wav2pix.variant("narrow", size)
    tensors = {}
    for name, part in variant.parts.items():
        network = build(part)
        for tensor in network.parameters():
            if tensor.dim() > 1:
                torch.nn.init.kaiming_normal_(tensor, mode="fan_in" if name == "encoder" else "fan_out")
                tensor.data *= 2.5 if name == "decoder" else 1
        tensors[name] = {key: value.numpy() for key, value in network.state_dict().items() if value.dim()}
    return Checkpoint(variant=variant, tensors=tensors)


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(NARROW)


@pytest.fixture(scope="module")
def report(checkpoint, tmp_path_factory):
    place = tmp_path_factory.mktemp("second") / "narrow.voxtoon"
    return exporter.export(checkpoint, output=place, formats=FORMATS, precisions=("fp32", "fp16"))


@pytest.fixture(scope="module")
def bundle(report):
    with voxtoon.open_bundle(report.bundle) as found:
        yield found


@pytest.fixture(scope="module")
def voice():
    return sample_voice().samples


def test_its_bundle_passes_its_own_verification_to_the_picture_and_the_avatar(bundle):
    checks = list(verify(bundle))
    assert [check.failure for check in checks if check.failure] == []
    assert {(check.part, check.output) for check in checks} == {
        ("front_end", "frames"),
        ("encoder", "feature"),
        ("decoder", "image"),
        ("voice_activity", "output"),
        ("pipeline", "image"),
        ("pipeline", "avatar"),
        ("pipeline", "drawing"),
    }


@pytest.mark.parametrize("size", [NARROW, LARGER], ids=["64 px", "128 px"])
def test_every_format_gives_the_same_picture_and_the_same_avatar(size, checkpoint, report, tmp_path, voice):
    made = report
    if size is LARGER:
        checkpoint = random_checkpoint(size)
        made = exporter.export(checkpoint, output=tmp_path / "larger.voxtoon", formats=FORMATS)
    with voxtoon.open_bundle(made.bundle) as bundle:
        checks = list(verify(bundle))
        faces = {
            name: bundle.pipeline(engine=name, precision="fp32").reconstruct(voice, sample_rate=RATE_HZ)
            for name in FORMATS
        }
    assert [check.failure for check in checks if check.failure] == []
    ways = {check.format for check in checks if (check.part, check.output) == ("pipeline", "drawing")}
    assert ways == set(FORMATS)
    for face in faces.values():
        assert face.image.shape == (size.image_size_px, size.image_size_px, 3)
        np.testing.assert_allclose(face.image, faces["onnx"].image, atol=1e-5)


def test_the_manifest_tells_a_picture_and_where_its_head_is(bundle):
    shape = bundle.manifest.face
    assert (shape.image_size_px, shape.mean_landmarks, shape.warp, shape.topology) == (64, None, None, None)
    assert shape.head.left < shape.head.right
    assert bundle.manifest.part("encoder").inputs[0].shape == (1, RATE_HZ, 1)
    assert bundle.manifest.front_end == NARROW.front_end


def test_what_the_reader_should_know_is_noted(report):
    assert "the decoder draws pictures without landmarks: the avatar's geometry is neutral" in report.notes
    assert any("those of the system's declaration" in note for note in report.notes)


def test_a_longer_voice_is_the_mean_of_its_seconds(bundle, checkpoint, voice):
    """Six seconds of speech: as many windows, embedded in torch, weighted by the speech in each."""
    pipeline, network = bundle.pipeline(), checkpoint.network("encoder")
    front_end = clip_front_end(NARROW.front_end)
    windows = [voice[start : start + RATE_HZ] for start in range(0, len(voice), RATE_HZ)]
    with torch.no_grad():
        frames = torch.from_numpy(np.stack([front_end.frames(window) for window in windows]))
        features = network(frames).numpy()
    alone = [pipeline.feature(window, sample_rate=RATE_HZ) for window in windows]
    np.testing.assert_allclose(np.stack(alone), features, rtol=1e-4, atol=1e-5)

    whole = pipeline.reconstruct(voice, sample_rate=RATE_HZ)
    assert whole.speech_s > 5
    weights = np.linalg.lstsq(features.T, whole.feature, rcond=None)[0]
    assert weights == pytest.approx(np.full(len(windows), 1 / len(windows)), abs=0.05)
    assert np.ptp(features, axis=0).max() > 0.1


def test_the_face_is_the_picture_itself(bundle, checkpoint, voice):
    face = bundle.pipeline().reconstruct(voice, sample_rate=RATE_HZ)
    with torch.no_grad():
        expected = checkpoint.network("decoder")(torch.from_numpy(face.feature)[None])[0].numpy()
    np.testing.assert_allclose(face.image, expected, atol=1e-5)
    assert face.image is face.picture
    assert expected.std() > 0.05
    assert (face.landmarks, face.texture, face.geometry) == (None, None, "neutral")


def test_the_avatar_takes_its_hair_from_the_picture_and_its_shape_from_nobody(bundle, voice):
    face = bundle.pipeline().reconstruct(voice, sample_rate=RATE_HZ)
    numbers = draw_avatar(face).parameters.numbers()
    assert {name for name, value in numbers.items() if value} <= set(HAIR_MEASUREMENTS)
    assert any(numbers.values())
    assert draw_avatar(face, skin="reconstructed").parameters.skin.startswith("#")
    nowhere = draw_avatar(replace(face, head=None), skin="reconstructed").parameters
    assert not any(nowhere.numbers().values())
    assert nowhere.skin == "neutral"


@pytest.mark.parametrize("chunk", [160, 4_801, RATE_HZ])
def test_a_call_in_chunks_gives_the_windows_of_the_whole(bundle, voice, chunk):
    pipeline = bundle.pipeline()
    with pipeline.stream(sample_rate=RATE_HZ, update_every_speech_s=2.0) as call:
        faces = [
            face for start in range(0, len(voice), chunk) for face in call.push(voice[start : start + chunk])
        ]
        last = call.flush().face
    assert len(faces) == 3
    whole = pipeline.reconstruct(voice, sample_rate=RATE_HZ)
    np.testing.assert_array_equal(last.feature, whole.feature)
    np.testing.assert_array_equal(last.image, whole.image)


def test_a_call_that_goes_on_alike_settles_by_its_feature(bundle, voice):
    with bundle.pipeline().stream(sample_rate=RATE_HZ) as call:
        call.push(np.tile(voice, 3))
        assert call.state == "stable"


def test_the_same_commands_say_what_is_neutral(report, tmp_path, capsys):
    sample, bundle = str(ROOT / "samples/voice.flac"), str(report.bundle)
    assert main(["verify", bundle]) == 0
    capsys.readouterr()
    avatar, picture = tmp_path / "avatar.svg", tmp_path / "face.png"
    assert main(["face", sample, "--bundle", bundle, "-o", str(avatar), "--image", str(picture)]) == 0
    assert "the shape of the face is neutral" in capsys.readouterr().out
    assert avatar.read_text().startswith("<svg")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["face", sample, "--bundle", bundle, "-o", str(avatar), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["geometry"], told["landmarks"]) == ("neutral", None)
    assert main(["inspect", bundle]) == 0
    assert "output image float32 [1, 64, 64, 3]" in capsys.readouterr().out
