"""A bundle laid out as the assets of an Android application."""

import zipfile
from pathlib import Path

import pytest

from voxtoon.audio import read_audio
from voxtoon.bundle import DEFAULT_BUNDLE, open_bundle
from voxtoon.errors import InputError
from voxtoon_export.android_assets import lay_out, library_bytes

SAMPLE = Path(__file__).parents[2] / "samples" / "voice.flac"


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    return lay_out(DEFAULT_BUNDLE, tmp_path_factory.mktemp("main") / "assets")


def test_what_is_laid_out_is_a_bundle_that_draws(assets):
    samples = read_audio(SAMPLE).samples
    with open_bundle(assets.folder) as laid_out, open_bundle() as whole:
        laid_out.verify_all()
        one, other = (
            bundle.pipeline().reconstruct(samples, sample_rate=16_000) for bundle in (laid_out, whole)
        )
    assert (one.landmarks == other.landmarks).all()


def test_nothing_is_in_it_that_a_phone_does_not_read(assets):
    with open_bundle(assets.folder) as bundle:
        assert all(part.role == "runtime" for part in bundle.manifest.parts)
        assert len({artefact.part for artefact in bundle.manifest.artefacts}) == len(
            bundle.manifest.artefacts
        )
        assert not bundle.manifest.golden
        listed = set(bundle.manifest.files) | {"manifest.json"}
    assert set(assets.sizes_bytes) == listed
    assert assets.total_bytes < DEFAULT_BUNDLE.stat().st_size


def test_a_format_that_the_bundle_has_not_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match=r"not in the bundle for a phone.*litert"):
        lay_out(DEFAULT_BUNDLE, tmp_path / "assets", file_format="litert")
    assert not (tmp_path / "assets").exists()


def test_what_is_in_the_place_stays(tmp_path):
    (tmp_path / "voxtoon").mkdir()
    (tmp_path / "voxtoon" / "mine").write_text("mine")
    with pytest.raises(InputError, match="in the place of the bundle"):
        lay_out(DEFAULT_BUNDLE, tmp_path)
    assert (tmp_path / "voxtoon" / "mine").read_text() == "mine"


def test_the_engine_is_weighed_for_each_abi(tmp_path):
    aar = tmp_path / "engine.aar"
    with zipfile.ZipFile(aar, "w") as archive:
        for abi, size in (("x86_64", 5), ("arm64-v8a", 3)):
            archive.writestr(f"jni/{abi}/libengine.so", b"x" * size)
            archive.writestr(f"jni/{abi}/libengine4j.so", b"x")
        archive.writestr("classes.jar", b"x" * 100)
    assert library_bytes(aar) == {"arm64-v8a": 4, "x86_64": 6}
    with pytest.raises(InputError, match="AAR"):
        library_bytes(tmp_path / "none.aar")
