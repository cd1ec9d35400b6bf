"""The manifest reader and the JSON schema say the same, and the reader says more: see docs/bundle.md."""

import dataclasses
import json
from contextlib import suppress
from pathlib import Path

import jsonschema
import pytest
import valid_bundle
from hypothesis import given
from hypothesis import strategies as st
from manifest_attacks import MANIFEST_ATTACKS

import voxtoon.manifest as declarations
from voxtoon import CheckError, InputError, VoxtoonError
from voxtoon.manifest import Manifest
from voxtoon.manifest_decode import decode
from voxtoon.manifest_json import format_json, parse_json

SCHEMA = json.loads(Path(declarations.__file__).with_name("manifest.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
COMPLEX_POWER = {**valid_bundle.manifest(), "front_end": valid_bundle.COMPLEX_FRONT_END}
WAVEFORM = {**valid_bundle.manifest(), "front_end": valid_bundle.WAVEFORM_FRONT_END}
PICTURE = valid_bundle.picture_manifest()
JUNK = [None, True, -1, 200.5, "", "Not A Name", "../x", [], ["x"], {}, {"x": 1}, {"Not a name": "x"}]


def places(value, path=()):
    """Every place in a manifest; one item of a list stands for all."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def replaced(value, path, junk):
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


def removed(value, path):
    copy = dict(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(value[path[0]], path[1:-1], removed(at(value, path[:-1]), path[-1:]))
    return copy


def at(value, path):
    for key in path:
        value = value[key]
    return value


def reader_takes(value):
    """Whether the types, presence and limits of the dataclasses hold; rules between fields are not asked."""
    try:
        decode(Manifest, value, "manifest.json")
    except CheckError:
        return False
    return True


PLACES = [
    path for path in places(valid_bundle.manifest()) if path and path[0] not in ("format", "format_version")
]
FIELDS = [path for path in PLACES if isinstance(path[-1], str)]


@pytest.mark.parametrize(
    "value",
    [valid_bundle.manifest(), COMPLEX_POWER, WAVEFORM, PICTURE],
    ids=["log_mel", "complex_power", "waveform", "picture"],
)
def test_a_valid_manifest_passes_reader_and_schema_and_comes_back_as_it_was(value):
    VALIDATOR.validate(value)
    manifest = Manifest.from_json(value)
    assert manifest.to_json() == value
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_reader_and_schema_agree_on_any_value_in_any_place(path):
    for junk in JUNK:
        value = replaced(valid_bundle.manifest(), path, junk)
        assert reader_takes(value) == VALIDATOR.is_valid(value), junk


@pytest.mark.parametrize("kind", [COMPLEX_POWER, WAVEFORM], ids=["complex_power", "waveform"])
@pytest.mark.parametrize("field", valid_bundle.FRONT_END)
def test_reader_and_schema_agree_on_the_front_ends_of_other_kinds(kind, field):
    for junk in JUNK:
        value = replaced(kind, ("front_end", field), junk)
        assert reader_takes(value) == VALIDATOR.is_valid(value), junk
    value = removed(kind, ("front_end", field))
    assert reader_takes(value) == VALIDATOR.is_valid(value)


@pytest.mark.parametrize(
    "path", [path for path in places(PICTURE) if path[:2] == ("face", "head")], ids=lambda path: path[-1]
)
def test_reader_and_schema_agree_on_heads(path):
    for junk in JUNK:
        value = replaced(PICTURE, path, junk)
        assert reader_takes(value) == VALIDATOR.is_valid(value), junk
    value = removed(PICTURE, path)
    assert reader_takes(value) == VALIDATOR.is_valid(value)


def test_a_picture_needs_no_head():
    face = {"image_size_px": 56}
    assert Manifest.from_json({**PICTURE, "face": face}).face.head is None


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_reader_and_schema_agree_on_which_fields_may_be_absent(path):
    value = removed(valid_bundle.manifest(), path)
    assert reader_takes(value) == VALIDATOR.is_valid(value)


@pytest.mark.parametrize("field", ["format", "format_version"])
@pytest.mark.parametrize("junk", [*JUNK, "2.0", "1", "1.0.0", "1.x", "voxtoon-bundle-2"])
def test_reader_and_schema_refuse_another_format_or_version(field, junk):
    value = replaced(valid_bundle.manifest(), (field,), junk)
    assert not VALIDATOR.is_valid(value)
    with pytest.raises(VoxtoonError):
        Manifest.from_json(value)


def test_the_version_is_looked_at_before_all_else():
    with pytest.raises(InputError, match="unknown version"):
        Manifest.from_json({"format": "voxtoon-bundle", "format_version": "2.0"})


FREE_NAMES = {"files", "golden", "tolerance", "minimum_runtime", "quality", "mean", "std", "states"}
OBJECTS = [
    path
    for path in places(valid_bundle.manifest())
    if isinstance(at(valid_bundle.manifest(), path), dict)
    and path[-1:] not in {(name,) for name in FREE_NAMES}
]


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: ".".join(map(str, path)) or "manifest")
def test_unknown_fields_are_left_alone_but_in_the_front_end(path):
    value = valid_bundle.manifest()
    at(value, path)["surprise"] = [1, {"any": "thing"}]
    expected = path != ("front_end",)
    assert reader_takes(value) == VALIDATOR.is_valid(value) == expected


def test_the_schema_lists_the_fields_of_the_dataclasses():
    described = {entry["title"]: entry for entry in (SCHEMA, *SCHEMA["$defs"].values()) if "title" in entry}
    declared = {name: found for name, found in vars(declarations).items() if dataclasses.is_dataclass(found)}
    helpers = {"AtLeast", "Items", "Pattern"}
    assert set(described) == set(declared) - helpers
    for name, entry in described.items():
        assert set(entry["properties"]) == {field.name for field in dataclasses.fields(declared[name])}, name


@pytest.mark.parametrize("attack", MANIFEST_ATTACKS, ids=lambda attack: attack.name)
def test_what_the_schema_refuses_the_reader_refuses(attack, tmp_path):
    path = attack.write(tmp_path / "attack") / "manifest.json"
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        value = None
    if not VALIDATOR.is_valid(value) or attack.expected != "good":
        with pytest.raises(VoxtoonError):
            Manifest.from_bytes(path.read_bytes())


def test_parts_and_artefacts_are_found_by_name():
    manifest = Manifest.from_json(valid_bundle.manifest())
    assert manifest.part("face_encoder").role == "evaluation"
    assert [artefact.precision for artefact in manifest.artefacts_of("encoder")] == ["fp32", "fp16"]
    with pytest.raises(InputError, match=r"'mouth'.*encoder, decoder"):
        manifest.artefacts_of("mouth")


def test_a_message_names_the_field_and_says_what_was_got_and_expected():
    value = replaced(valid_bundle.manifest(), ("parts", 1, "outputs", 0, "shape", 2), -3)
    with pytest.raises(
        CheckError, match=r"manifest.json.parts\[1\].outputs\[0\].shape\[2\]: got -3, expected"
    ):
        Manifest.from_json(value)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**16), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_json_is_written_so_that_it_reads_back(value):
    assert parse_json(format_json(value).encode(), "a test") == value


@given(JSON_VALUES, st.integers(0, 10**9))
def test_no_value_in_any_place_ends_in_a_traceback(value, choice):
    damaged = replaced(valid_bundle.manifest(), PLACES[choice % len(PLACES)], value)
    with suppress(VoxtoonError):
        Manifest.from_json(damaged)


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(content):
    with pytest.raises(VoxtoonError):
        Manifest.from_bytes(content)


def test_plain_values_of_one_list_share_a_line():
    written = format_json({"mean": [1.0, -3e-05], "axes": ["batch", "a,\n  b"], "rows": [[1, 2], [3]]})
    assert written.splitlines() == [
        "{",
        '  "mean": [1.0, -3e-05],',
        '  "axes": ["batch", "a,\\n  b"],',
        '  "rows": [',
        "    [1, 2],",
        "    [3]",
        "  ]",
        "}",
    ]


def test_what_is_not_finite_is_not_written():
    with pytest.raises(CheckError, match="finite"):
        format_json([float("nan")])
