"""A record is what its schema says, and what is no record is refused."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from voxtoon.bench import record as records
from voxtoon.bench.host import run
from voxtoon.bench.record import Protocol, Record, read_record, record_from_json
from voxtoon.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "bench-record.schema.json").read_text())
SHORT = Protocol(warmup_runs=1, runs=3, cold_runs=1, sustained_s=0.2)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A real record of the embedded model."""
    from voxtoon.bundle import DEFAULT_BUNDLE

    done = run(DEFAULT_BUNDLE, protocol=SHORT)
    assert done.error is None
    path = tmp_path_factory.mktemp("records") / "here.json"
    done.record.save(path)
    return path


def test_a_real_record_keeps_to_the_schema_and_comes_back_the_same(measured):
    value = json.loads(measured.read_text())
    jsonschema.validate(value, SCHEMA, format_checker=jsonschema.FormatChecker())
    read = read_record(measured)
    assert read == record_from_json(value, "again")
    assert json.loads(json.dumps(read.to_json())) == value


def test_a_real_record_says_what_ran_where(measured):
    found = read_record(measured)
    assert found.problem is None
    assert found.accurate
    stages = ["speech", "front_end", "encoder", "decoder", "warp", "drawing", "whole"]
    assert [name for name in found.latency if name != "step"] == stages
    assert all(latency.samples.n == SHORT.runs for latency in found.latency.values())
    parts = {artefact.part for artefact in found.artefacts}
    assert parts == {"encoder_step", "head", "decoder", "voice_activity"}  # the encoder runs as step and head
    assert all(artefact.kernels for artefact in found.artefacts)
    assert any("Conv" in name for name in found.artefacts[0].kernels)
    assert found.cold_start is not None
    assert found.cold_start.first_avatar.summary_s.p50 > found.cold_start.imports.summary_s.p50
    assert found.memory is not None
    assert found.memory.peak_rss_bytes > found.memory.pss_bytes > found.model_bytes
    assert found.first_avatar is not None
    assert 1.0 <= found.first_avatar.heard_s <= 6.0
    assert found.sustained is not None
    assert found.sustained.seconds >= 0.2
    assert found.overhead_s is not None
    assert 0 < found.overhead_s < found.latency["whole"].summary_s.p50
    assert found.conditions[-1].at_s > found.conditions[0].at_s


def test_the_schema_names_every_field_of_every_class():
    classes = {c.__name__: c for c in vars(records).values() if dataclasses.is_dataclass(c)}
    for name, definition in {**SCHEMA["$defs"], "Record": SCHEMA}.items():
        assert set(definition["properties"]) == {field.name for field in dataclasses.fields(classes[name])}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not json", "here.json is not JSON"),
        (b"[]", "no record of `voxtoon bench`"),
        (b'{"format": "voxtoon-bundle"}', "no record of `voxtoon bench`: got format 'voxtoon-bundle'"),
        (b'{"format": "voxtoon-bench-record", "format_version": "2.0"}', "unknown version: got 2.0"),
        (b'{"format": "voxtoon-bench-record", "format_version": "1.0"}', "here.json.on is missing"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "here.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    assert "bundle again" not in str(caught.value)


def test_a_record_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no\.json cannot be read: got No such file"):
        read_record(tmp_path / "no.json")


def test_a_minor_version_may_add_fields(measured):
    value = json.loads(measured.read_text())
    value |= {"format_version": "1.7", "mood": "good"}
    assert isinstance(record_from_json(value, "newer"), Record)
