"""Two avatars are the same drawing when every number that is written is the same, but for ties."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.avatar import MEASUREMENTS, NEUTRAL, AvatarParameters, draw
from voxtoon.avatar.written import TENTHS, written_numbers

avatars = st.builds(
    AvatarParameters,
    **dict.fromkeys(MEASUREMENTS, st.floats(-1, 1)),
    skin=st.sampled_from(["neutral", "#A07060"]),
)
quick = settings(deadline=None, max_examples=30)


@quick
@given(avatars)
def test_coordinates_are_those_of_the_svg(parameters):
    """All but halves, which the last bit of a product rounds up or down."""
    paths = re.findall(r' d="([^"]*)"', draw(parameters).svg)
    text = [float(number) for path in paths for number in re.findall(r"-?\d+\.\d", path)]
    away = np.abs(written_numbers(parameters)[: len(text)] / TENTHS - text)
    assert away.max() < 1.01 / TENTHS
    assert np.mean(away > 1e-9) < 0.2


@quick
@given(avatars, st.sampled_from(MEASUREMENTS), st.sampled_from([-5e-5, 5e-5]))
def test_the_last_bits_of_an_engine_are_the_same_drawing(parameters, name, by):
    value = getattr(parameters, name) + by
    other = replace(parameters, **{name: min(max(value, -1.0), 1.0)})
    np.testing.assert_array_equal(written_numbers(other, reference=parameters), written_numbers(parameters))


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_twentieth_of_any_parameter_is_another_drawing(name):
    other = AvatarParameters(**{name: 0.05})
    assert not np.array_equal(written_numbers(other, reference=NEUTRAL), written_numbers(NEUTRAL))


def test_another_skin_is_another_drawing():
    tan, other = (AvatarParameters(skin=skin) for skin in ("#A07060", "#A07061"))
    assert not np.array_equal(written_numbers(other, reference=tan), written_numbers(tan))
