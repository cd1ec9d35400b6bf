"""Between two avatars: no jump, no way back, and a drawing that keeps its structure."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.avatar import MEASUREMENTS, NEUTRAL, AvatarParameters, Morph, draw, time_constant_s
from voxtoon.errors import InputError

numbers = st.dictionaries(st.sampled_from(MEASUREMENTS), st.floats(-1, 1))
faces = numbers.map(AvatarParameters.from_json)


def test_early_faces_are_followed_slowly():
    assert [time_constant_s(value) for value in (0.0, 0.5, 1.0, 2.0)] == pytest.approx([1.2, 0.75, 0.3, 0.3])


@settings(max_examples=30, deadline=None)
@given(faces, st.floats(0, 1))
def test_after_a_time_constant_63_percent_of_the_way_is_gone(face, confidence):
    morph = Morph()
    morph.aim(face, confidence=confidence, at_s=1.0)
    now = morph.at(1.0 + time_constant_s(confidence)).numbers()
    for name, value in face.numbers().items():
        assert now[name] == pytest.approx(0.632 * value, abs=0.003)


@settings(max_examples=30, deadline=None)
@given(faces, faces, st.lists(st.floats(0.001, 0.5), min_size=1, max_size=20))
def test_it_does_not_matter_how_often_it_is_looked_at(first, second, steps):
    seldom, often = Morph(), Morph()
    for morph in (seldom, often):
        morph.aim(first, confidence=1.0, at_s=0.0)
    time_s = 0.0
    for step_s in steps:
        time_s += step_s
        often.at(time_s)
    for morph in (seldom, often):
        morph.aim(second, confidence=0.5, at_s=time_s)
    ours, theirs = (morph.at(time_s + 0.4).numbers() for morph in (seldom, often))
    assert max(abs(ours[name] - theirs[name]) for name in ours) < 0.003


@settings(max_examples=30, deadline=None)
@given(faces, st.floats(0, 1))
def test_nothing_flickers(face, confidence):
    """Every number goes one way only and never beyond its aim."""
    morph = Morph()
    morph.aim(face, confidence=confidence, at_s=0.0)
    path = np.array([list(morph.at(step / 30).numbers().values()) for step in range(300)])
    ends = np.array(list(face.numbers().values()))
    assert (np.diff(path, axis=0) * np.sign(ends) >= -1e-12).all()
    assert (np.abs(path) <= np.abs(ends) + 1e-12).all()
    assert np.abs(np.diff(path, axis=0)).max() <= 1 / 30 / 0.3


def test_it_arrives_and_is_still():
    face = AvatarParameters(jaw_width=0.8, hair_length=-1.0)
    morph = Morph()
    assert morph.is_still
    morph.aim(face, confidence=1.0, at_s=0.0)
    assert not morph.is_still
    assert morph.at(0.5) not in (NEUTRAL, face)
    assert morph.at(5.0) == face
    assert morph.is_still


def test_colours_move_too():
    morph = Morph(AvatarParameters(skin="#000000"))
    morph.aim(AvatarParameters(skin="#C86432"), confidence=1.0, at_s=0.0)
    shades = [int(morph.at(step / 10).skin[1:3], 16) for step in range(30)]
    assert shades == sorted(shades)
    assert shades[0] == 0
    assert 0 < shades[3] < 0xC8
    assert shades[-1] == 0xC8
    assert morph.is_still


def test_time_does_not_go_back():
    morph = Morph()
    morph.at(2.0)
    with pytest.raises(InputError, match="time of a morph"):
        morph.at(1.0)


def structure(svg):
    """Everything but the numbers and the colours."""
    return re.sub(r"-?\d+(\.\d+)?", "0", re.sub(r"#[0-9A-F]{6}", "#", svg))


@settings(max_examples=30, deadline=None)
@given(faces)
def test_every_drawing_has_the_same_structure(face):
    assert structure(draw(face).svg) == structure(draw(NEUTRAL).svg)


def test_so_have_the_avatars_of_many_voices_on_their_way(tiny_bundle):
    from recipes.synthetic_voices import synthesise
    from voxtoon import draw_avatar, open_bundle

    morph, seen = Morph(), set()
    with open_bundle(tiny_bundle) as bundle:
        pipeline = bundle.pipeline()
        for seed in range(8):
            voice = synthesise(seed, seconds_s=3.0)
            face = pipeline.reconstruct(voice.samples, sample_rate=voice.sample_rate_hz)
            morph.aim(draw_avatar(face).parameters, confidence=face.confidence, at_s=float(seed))
            seen |= {structure(draw(morph.at(seed + step / 4)).svg) for step in range(4)}
    assert len(seen) == 1
