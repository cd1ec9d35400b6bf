"""What a manifest says about the front end, and what it may not say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from voxtoon.errors import InputError
from voxtoon.front_end import COMPLEX_POWER, LOG_MEL, WAVEFORM, FrontEndSpec


@pytest.mark.parametrize("spec", [COMPLEX_POWER, LOG_MEL, WAVEFORM])
def test_a_spec_survives_json(spec: FrontEndSpec) -> None:
    assert FrontEndSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_json_carries_every_choice_that_changes_a_frame() -> None:
    assert COMPLEX_POWER.to_json() == {
        "kind": "complex_power",
        "sample_rate_hz": 16_000,
        "window": "hann_periodic",
        "window_samples": 400,
        "hop_samples": 160,
        "fft_samples": 512,
        "framing": "uncentred",
        "pad_side": "right",
        "clip_samples": 96_000,
        "input_scale": 1.0,
        "exponent": 0.3,
        "mel_bins": None,
        "mel_low_hz": None,
        "mel_high_hz": None,
        "mel_floor": None,
        "log_offset": None,
        "log_scale": None,
        "pre_emphasis": None,
        "division": None,
    }


def test_shapes_of_a_frame() -> None:
    assert COMPLEX_POWER.frame_shape == (257, 2)
    assert LOG_MEL.frame_shape == (64, 1)
    assert WAVEFORM.frame_shape == (1,)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98), (96_000, 598)]
)
def test_frame_count(samples: int, frames: int) -> None:
    assert COMPLEX_POWER.frame_count(samples) == frames
    assert WAVEFORM.frame_count(samples) == samples


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centre": True}, "unknown fields: centre"),
        ({"kind": "re_im"}, "front end kind: got 're_im', expected complex_power or log_mel or waveform"),
        ({"window": "hann"}, "window: got 'hann', expected 'hann_periodic'"),
        ({"framing": "centred"}, "framing: got 'centred', expected 'uncentred'"),
        ({"pad_side": "both"}, "pad_side"),
        ({"sample_rate_hz": "16000"}, "sample_rate_hz: got '16000', expected an integer"),
        ({"sample_rate_hz": 16_000.0}, "sample_rate_hz: got 16000.0, expected an integer"),
        ({"hop_samples": True}, "hop_samples: got True, expected an integer"),
        ({"hop_samples": 0}, "hop_samples is out of range: got 0"),
        ({"window_samples": 513}, "window_samples is out of range"),
        ({"fft_samples": 1 << 40}, "fft_samples is out of range"),
        ({"clip_samples": 10**12}, "clip_samples is out of range"),
        ({"input_scale": float("nan")}, "input_scale: got nan, expected a finite number"),
        ({"exponent": None}, "exponent: got None, expected a finite number"),
        ({"exponent": 1.5}, "exponent is out of range: got 1.5"),
        ({"mel_bins": 64}, "mel_bins of kind complex_power: got 64, expected null"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FrontEndSpec.from_json({**COMPLEX_POWER.to_json(), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"division": "floor"}, "division: got 'floor', expected 'float' or 'py2_floor'"),
        ({"pre_emphasis": 1.0}, "pre_emphasis is out of range: got 1.0"),
        ({"pre_emphasis": "0.95"}, "pre_emphasis: got '0.95', expected a finite number"),
        ({"hop_samples": 160}, "hop_samples of kind waveform: got 160, expected null"),
        ({"window": "hann_periodic"}, "window of kind waveform: got 'hann_periodic', expected null"),
        ({"clip_samples": 0}, "clip_samples is out of range: got 0"),
    ],
)
def test_a_wrong_field_of_a_waveform_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FrontEndSpec.from_json({**WAVEFORM.to_json(), **changes})


@pytest.mark.parametrize("spec", [COMPLEX_POWER, LOG_MEL, WAVEFORM])
def test_fields_of_another_kind_may_be_left_out(spec: FrontEndSpec) -> None:
    own = {name: value for name, value in spec.to_json().items() if value is not None}
    assert FrontEndSpec.from_json(own) == spec


def test_a_missing_field_is_named() -> None:
    data = COMPLEX_POWER.to_json()
    del data["pad_side"], data["exponent"]
    with pytest.raises(InputError, match="missing fields: exponent, pad_side"):
        FrontEndSpec.from_json(data)


def test_only_an_object_is_a_spec() -> None:
    with pytest.raises(InputError, match="got list, expected a JSON object"):
        FrontEndSpec.from_json([])


def test_a_mel_band_must_lie_below_half_the_sample_rate() -> None:
    with pytest.raises(InputError, match="mel_high_hz is out of range: got 9000"):
        replace(LOG_MEL, mel_high_hz=9000.0)
