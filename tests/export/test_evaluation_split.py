from hypothesis import given
from hypothesis import strategies as st

from voxtoon_export.evaluation.split import is_held_out, is_validation

NAMES = [f"spk{number:04d}" for number in range(4000)]


def test_a_fifth_of_the_speakers_is_held_out():
    assert abs(sum(map(is_held_out, NAMES)) / len(NAMES) - 0.20) < 0.02


def test_a_tenth_of_the_rest_is_for_validation():
    rest = [name for name in NAMES if not is_held_out(name)]
    assert abs(sum(map(is_validation, rest)) / len(rest) - 0.10) < 0.02


@given(st.text())
def test_no_speaker_is_in_both(name):
    assert not (is_held_out(name) and is_validation(name))


def test_the_split_never_moves():
    """Published figures stand on these very names: a change here makes them incomparable."""
    assert [name for name in NAMES[:40] if is_held_out(name)] == [
        "spk0004",
        "spk0007",
        "spk0014",
        "spk0021",
        "spk0026",
        "spk0027",
        "spk0030",
        "spk0035",
        "spk0037",
        "spk0038",
    ]
    assert [name for name in NAMES[:40] if is_validation(name)] == [
        "spk0000",
        "spk0009",
        "spk0012",
        "spk0020",
        "spk0024",
        "spk0028",
    ]
