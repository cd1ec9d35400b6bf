"""State in integers begins with their zero, and is what the manifest tells of it."""

from typing import ClassVar

import numpy as np
import pytest

from voxtoon.errors import CheckError
from voxtoon.integer_state import IntegerStateSession, zeros_of
from voxtoon.manifest import Manifest, StateGrid


class Loaded:
    """A session that keeps one state in integers and gives back what it was given."""

    engine, precision = "numpy", "int8"
    input_types: ClassVar = {"frames": np.dtype(np.float32), "past": np.dtype(np.uint8)}

    def run(self, inputs):
        return dict(inputs)


def test_integers_begin_with_their_zero_point_and_floats_with_zero():
    session = IntegerStateSession(Loaded(), {"past": StateGrid("uint8", 0.5, 93)})

    assert zeros_of(session, "past", (1, 2)).tolist() == [[93, 93]]
    assert zeros_of(session, "past", (1, 2)).dtype == np.uint8
    assert zeros_of(session, "frames", (1,)).tolist() == [0.0]


def test_an_older_manifest_tells_nothing_and_the_integers_begin_with_zero():
    assert zeros_of(Loaded(), "past", (2,)).tolist() == [0, 0]
    assert zeros_of(Loaded(), "past", (2,)).dtype == np.uint8


def test_it_is_otherwise_the_session_that_it_holds():
    loaded = Loaded()
    session = IntegerStateSession(loaded, {})

    assert (session.engine, session.precision, session.input_types) == ("numpy", "int8", loaded.input_types)
    assert session.run({"frames": 1}) == {"frames": 1}


@pytest.mark.parametrize(
    ("name", "dtype", "got"), [("past", "int8", "uint8"), ("other", "int8", "no such input")]
)
def test_an_artefact_that_keeps_its_state_otherwise_is_refused(name, dtype, got):
    with pytest.raises(CheckError, match=rf"the artefact's {name}: got {got}, expected {dtype}"):
        IntegerStateSession(Loaded(), {name: StateGrid(dtype, 0.5, 0)})


@pytest.fixture
def told(streaming_bundle):
    """What a manifest tells of a step's states, as its reader takes it."""
    import json

    manifest = json.loads((streaming_bundle / "manifest.json").read_text())
    step = next(item for item in manifest["artefacts"] if item["part"] == "encoder_step")

    def told(states):
        step["states"] = states
        return next(item for item in Manifest.from_json(manifest).artefacts if item.part == "encoder_step")

    return told


def test_the_manifest_tells_what_the_integers_stand_for(told):
    grid = {"dtype": "int8", "scale": 0.25, "zero_point": -128}

    assert told({"position": grid}).states == {"position": StateGrid("int8", 0.25, -128)}
    assert told({}).states == {}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("frames", {}, "got 'frames', expected position"),
        ("past", {}, "got 'past', expected position"),
        ("position", {"zero_point": 128}, "zero_point: got 128, expected -128 to 127"),
        ("position", {"dtype": "uint8", "zero_point": -1}, "zero_point: got -1, expected 0 to 255"),
        ("position", {"dtype": "int16"}, "dtype"),
        ("position", {"scale": -1.0}, "scale"),
    ],
)
def test_what_cannot_be_is_refused(told, name, changes, message):
    with pytest.raises(CheckError, match=message):
        told({name: {"dtype": "int8", "scale": 0.25, "zero_point": 0} | changes})
