"""What layers cost is known the second time without a run, and drawn."""

from xml.etree import ElementTree

import pytest

from voxtoon_quantize import quantizer
from voxtoon_quantize.layer_chart import chart
from voxtoon_quantize.layer_effects import LayerEffect
from voxtoon_quantize.quality import Quality
from voxtoon_quantize.recipe import Override, Recipe

RECIPE = Recipe(overrides=(Override("decoder.*", "fp32"), Override("encoder.conv?", "fp32")))
"""The encoder's fully connected layers are left."""


def effects(tiny_bundle, voices, cache, **more):
    options = {"audio": voices, "recipe": RECIPE, "clips": 2, "judged_clips": 2, **more}
    return quantizer.sensitivity(tiny_bundle, cache=cache, **options)


@pytest.fixture(scope="module")
def cached(tiny_bundle, voices, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache") / "made" / "on demand"
    return effects(tiny_bundle, voices, cache), cache


def test_the_second_time_no_layer_is_run(cached, tiny_bundle, voices, monkeypatch):
    found, cache = cached
    monkeypatch.setattr("voxtoon_quantize.layer_effects.layer_effects", None)

    assert effects(tiny_bundle, voices, cache) == found


@pytest.mark.parametrize(
    "more", [{"clips": 3}, {"judged_clips": 3}, {"recipe": Recipe(overrides=RECIPE.overrides, target="arm")}]
)
def test_other_recordings_or_another_recipe_are_judged_anew(
    cached, tiny_bundle, voices, tmp_path, monkeypatch, more
):
    (kept,) = cached[1].iterdir()
    (tmp_path / kept.name).write_bytes(kept.read_bytes())
    monkeypatch.setattr("voxtoon_quantize.layer_effects.layer_effects", lambda *arguments: iter(()))

    assert effects(tiny_bundle, voices, tmp_path, **more) == []


def test_a_damaged_file_is_made_again(cached, tiny_bundle, voices):
    found, cache = cached
    (kept,) = cache.iterdir()
    kept.write_text("[{")

    assert effects(tiny_bundle, voices, cache) == found


def effect(layer, psnr_db, part="decoder"):
    return LayerEffect(part, layer, "static_wi8_ai8", 1000, Quality(4, 0.1, 0.2, psnr_db=psnr_db))


def bars(drawing):
    shapes = ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}rect")
    return [float(shape.get("width")) for shape in shapes][1:]  # the first is the paper


def test_a_bar_is_as_long_as_the_error_is_large():
    assert bars(chart([effect("a", 40.0), effect("b", 60.0)])) == [360.0, 36.0]


def test_a_model_without_faces_is_drawn_by_its_angles():
    drawing = chart([effect("a & b", None)])

    assert bars(drawing) == [360.0]
    assert "a &amp; b" in drawing
    assert "degrees" in drawing


def test_nothing_makes_an_empty_chart():
    assert bars(chart([])) == []


def test_the_command_draws(tiny_bundle, voices, tmp_path, capsys):
    from voxtoon.cli import main

    place = tmp_path / "layers.svg"
    words = ["quantize", str(tiny_bundle), "--calibrate", str(voices), "--sensitivity", "--draw", str(place)]
    words += ["--clips", "2", "--judged", "2", "--cache", str(tmp_path / "cache")]
    assert main([*words, "--layer", "decoder.*=fp32"]) == 0
    assert capsys.readouterr().out.count("encoder.") == len(bars(place.read_text()))
