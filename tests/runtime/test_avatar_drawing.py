"""The avatar as SVG and PNG, and on disk."""

import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.avatar import MEASUREMENTS, NEUTRAL, AvatarParameters, draw
from voxtoon.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"
PATH = re.compile(r"(?:[MLC](?:\d+\.\d \d+\.\d ?)+|Z)+")
LONGEST = AvatarParameters(hair_length=1, hair_volume=1, hair_flare=1, face_width=1)

number = st.floats(-1, 1)
parameters = st.builds(AvatarParameters, **dict.fromkeys(MEASUREMENTS, number))


def paths(avatar):
    return ElementTree.fromstring(avatar.svg).findall(f"{SVG}path")


@settings(deadline=None)
@given(parameters)
def test_the_svg_is_small_and_valid_and_its_structure_never_changes(drawn):
    avatar = draw(drawn)
    assert len(avatar.svg.encode()) < 30_000
    outline = [(path.get("id"), re.sub(r"[^A-Z]", "", path.get("d"))) for path in paths(avatar)]
    assert outline == [
        (path.get("id"), re.sub(r"[^A-Z]", "", path.get("d"))) for path in paths(draw(NEUTRAL))
    ]
    assert all(PATH.fullmatch(path.get("d")) for path in paths(avatar))


def test_the_svg_holds_paths_in_solid_colours_and_says_that_it_is_a_cartoon():
    root = ElementTree.fromstring(draw(NEUTRAL).svg)
    assert {child.tag.removeprefix(SVG) for child in root} == {"title", "desc", "path"}
    assert root.find(f"{SVG}desc").text == "A cartoon, not a likeness."
    colours = {path.get(name) for path in paths(draw(NEUTRAL)) for name in ("fill", "stroke")} - {
        None,
        "none",
    }
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in colours)


def test_the_same_parameters_give_the_same_bytes_in_another_process():
    program = "from voxtoon.avatar import *; print(draw(AvatarParameters(hair_length=0.3)).svg, end='')"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert other.stdout == draw(AvatarParameters(hair_length=0.3)).svg
    assert draw(NEUTRAL).png() == draw(AvatarParameters()).png()


@given(drawn=parameters, size_px=st.integers(1, 300))
@settings(max_examples=10, deadline=None)
def test_the_png_has_the_size_asked_for(drawn, size_px):
    png = draw(drawn).png(size_px=size_px)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (size_px, size_px)


def test_the_png_is_transparent_outside_the_round_background_and_coloured_inside():
    image = pytest.importorskip("PIL.Image")
    from io import BytesIO

    raster = image.open(BytesIO(draw(LONGEST).png(size_px=128))).convert("RGBA")
    assert raster.getpixel((0, 0))[3] == raster.getpixel((127, 127))[3] == 0
    assert raster.getpixel((64, 80))[3] == 255


@pytest.mark.parametrize("size_px", [0, -1, 5000])
def test_a_size_that_cannot_be_drawn_is_refused(size_px):
    with pytest.raises(InputError, match=f"avatar size: got {size_px} px, expected 1 to 4096 px"):
        draw(NEUTRAL).png(size_px=size_px)


@pytest.mark.parametrize("name", ["caller.svg", "caller.SVG"])
def test_save_writes_svg_by_the_suffix(tmp_path, name):
    assert draw(NEUTRAL).save(tmp_path / name) == tmp_path / name
    assert (tmp_path / name).read_text(encoding="utf-8") == draw(NEUTRAL).svg


def test_save_writes_png_by_the_suffix(tmp_path):
    draw(NEUTRAL).save(str(tmp_path / "caller.png"), size_px=64)
    assert (tmp_path / "caller.png").read_bytes() == draw(NEUTRAL).png(size_px=64)


@pytest.mark.parametrize("name", ["caller.jpg", "caller", "svg"])
def test_another_suffix_is_refused_and_nothing_is_written(tmp_path, name):
    with pytest.raises(InputError, match=r"expected a name that ends in \.svg or \.png"):
        draw(NEUTRAL).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        draw(NEUTRAL).save(tmp_path / "missing" / "caller.svg")


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path):
    target = tmp_path / "caller.svg"
    target.mkdir()
    with pytest.raises(InputError, match="cannot write"):
        draw(NEUTRAL).save(target)
    assert list(tmp_path.iterdir()) == [target]
    target.rmdir()
    draw(LONGEST).save(target)
    draw(NEUTRAL).save(target)
    assert target.read_text(encoding="utf-8") == draw(NEUTRAL).svg
    assert list(tmp_path.iterdir()) == [target]
