"""What is broken misses the line of the gate that is about it; what is not, does not."""

import pytest

import voxtoon
from tests.quantize.conftest import with_tensor
from voxtoon_quantize.bundle_parts import float_parts
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import made_by
from voxtoon_quantize.formats.onnx import FORMAT
from voxtoon_quantize.judging import Judged, report_of
from voxtoon_quantize.recipe import Recipe

RECIPE = Recipe(observer="minmax")
ANGLES, FACES = {"angle_mean_deg", "angle_p95_deg"}, {"psnr_db", "ssim", "r2_drop"}


@pytest.fixture(scope="module")
def known(tiny_bundle, voices):
    with voxtoon.open_bundle(tiny_bundle) as bundle:
        parts = float_parts(bundle, FORMAT)
        calibrated = calibrate_parts(bundle, FORMAT, parts, RECIPE, CalibrationAudio(voices, clips=8))
        kept = CalibrationAudio(voices, clips=6, telephone_share=0.0)
        yield calibrated, Judged.of(bundle, FORMAT, parts, kept)


@pytest.fixture(scope="module")
def made(known):
    """Halves for weights: a random network as small as this suffers from anything less."""
    return made_by(Recipe(scheme="fp16"), known[0])


def missed(known, made, name):
    calibrated, judged = known
    part = next(item.part for item in calibrated if item.part.name == name)
    return set(report_of(part, made[name], judged.quality(made), judged, RECIPE).missed)


def test_what_is_whole_misses_no_line_about_faces(known, made):
    for name in made:
        assert not missed(known, made, name) & (ANGLES | FACES)


def test_an_encoder_that_hears_something_else_misses_the_angle(known, made):
    broken = with_tensor(made["encoder"], "fc2.weight.half", lambda weight: weight[::-1])

    assert missed(known, {**made, "encoder": broken}, "encoder") >= ANGLES


def test_a_decoder_of_other_colours_misses_the_lines_about_faces(known, made):
    broken = with_tensor(made["decoder"], "texture_rgb.weight.half", lambda weight: -weight)
    found = missed(known, {**made, "decoder": broken}, "decoder")

    assert found >= FACES
    assert not found & ANGLES


def test_floats_under_the_name_of_integers_miss_share_and_size(known):
    floats = {item.part.name: item.part.content for item in known[0]}
    integers = made_by(RECIPE, known[0])

    assert missed(known, floats, "decoder") >= {"integer_macs", "smaller"}
    assert "integer_macs" not in missed(known, {**floats, "decoder": integers["decoder"]}, "decoder")


@pytest.mark.parametrize(("times", "missed_it"), [(0.5, True), (1.0, True), (2.0, False)])
def test_what_is_no_faster_than_float_misses_the_speed(known, made, monkeypatch, times, missed_it):
    """By a clock that says so: a real one is not the same twice."""
    monkeypatch.setattr("voxtoon_quantize.judging.speed_ratio", lambda *sessions: times)

    assert ("faster" in missed(known, made, "encoder")) == missed_it


def test_a_decoder_alone_is_judged_on_the_float_features(known, made):
    _, judged = known
    alone = judged.quality({"decoder": made["decoder"]})
    both = judged.quality(
        {**{item.part.name: item.part.content for item in known[0]}, "decoder": made["decoder"]}
    )

    assert alone == both
    assert alone.angle_mean_deg < 0.01
