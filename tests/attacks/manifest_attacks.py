"""Attacks by the manifest: damaged text, damaged fields, names that lead elsewhere."""

import hashlib

import valid_bundle
from attack import ENCODER, Attack, as_folder, put, without


def twice(key):
    """A change that repeats the first item of a list."""
    return lambda found: {**found, key: [*found[key], found[key][0]]}


def listing(*names):
    """A change that lists more files."""
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    return lambda found: {**found, "files": {**found["files"], **dict.fromkeys(names, empty)}}


def text_change(old, new):
    """A change of the manifest's very text, for what no JSON writer writes."""

    def change(found):
        text = valid_bundle.to_bytes(found)
        assert old in text
        return text.replace(old, new, 1)

    return change


STEP = next(
    index for index, part in enumerate(valid_bundle.manifest()["parts"]) if part["name"] == "encoder_step"
)
STEP_ARTEFACT = next(
    index
    for index, artefact in enumerate(valid_bundle.manifest()["artefacts"])
    if artefact["part"] == "encoder_step"
)


def states(name, **changes):
    """A change by which the step's artefact keeps this state in integers."""
    grid = {"dtype": "uint8", "scale": 0.5, "zero_point": 93, **changes}
    return put("artefacts", STEP_ARTEFACT, "states", {name: grid})


TEXTS_AND_FIELDS = [
    Attack("not_json", "check", "not JSON", as_folder(lambda found: b"{")),
    Attack("not_utf8", "check", "not JSON", as_folder(text_change(b"Research", b"\xff\xfe"))),
    Attack("empty_manifest", "check", "not JSON", as_folder(lambda found: b"")),
    Attack("nested_without_end", "check", "not JSON", as_folder(lambda found: b"[" * 1_000_000)),
    Attack("not_a_number", "check", "NaN", as_folder(put("face", "mean_feature", 0, float("nan")))),
    Attack("infinite_number", "check", "Infinity", as_folder(put("domain", "mean", 0, float("inf")))),
    Attack(
        "number_beyond_float",
        "check",
        "finite",
        as_folder(text_change(b'"threshold": 0.5', b'"threshold": 1e999')),
    ),
    Attack(
        "one_key_twice",
        "check",
        "twice",
        as_folder(text_change(b'{"format"', b'{"licence": "none", "format"')),
    ),
    Attack("manifest_too_large", "check", "too large", as_folder(lambda found: b" " * (4 * 1024 * 1024 + 1))),
    Attack("manifest_is_a_list", "input", "not a voxtoon", as_folder(lambda found: [found])),
    Attack("other_format", "input", "not a voxtoon", as_folder(put("format", "another-bundle"))),
    Attack("unknown_major_version", "input", "unknown version", as_folder(put("format_version", "2.0"))),
    Attack("version_zero", "input", "unknown version", as_folder(put("format_version", "0.9"))),
    Attack("version_is_a_number", "check", "format_version", as_folder(put("format_version", 1.0))),
    Attack("missing_field", "check", "face is missing", as_folder(without("face"))),
    Attack(
        "missing_inner_field", "check", "sha256 is missing", as_folder(without("files", ENCODER, "sha256"))
    ),
    Attack("field_of_another_type", "check", "parameters", as_folder(put("parts", 0, "parameters", "10"))),
    Attack("truth_for_number", "check", "bytes", as_folder(put("files", ENCODER, "bytes", True))),
    Attack("negative_size", "check", "at least 0", as_folder(put("files", ENCODER, "bytes", -1))),
    Attack("hash_of_another_length", "check", "64", as_folder(put("files", ENCODER, "sha256", "ab"))),
    Attack("unknown_front_end_field", "check", "front_end", as_folder(put("front_end", "dither", 1))),
    Attack("front_end_out_of_range", "check", "hop_samples", as_folder(put("front_end", "hop_samples", 0))),
    Attack("landmark_too_few", "check", "68", as_folder(put("face", "mean_landmarks", [[0.0, 0.0]] * 67))),
    Attack("one_part_twice", "check", "one part twice", as_folder(twice("parts"))),
    Attack("one_artefact_twice", "check", "one artefact twice", as_folder(twice("artefacts"))),
    Attack(
        "artefact_of_unknown_part",
        "check",
        "artefacts[0].part",
        as_folder(put("artefacts", 0, "part", "other")),
    ),
    Attack(
        "artefact_not_in_files", "check", "artefacts[0].file", as_folder(put("artefacts", 0, "file", "other"))
    ),
    Attack("golden_not_in_files", "check", "golden", as_folder(put("golden", "audio", "other"))),
    Attack("model_card_not_in_files", "check", "model_card", as_folder(put("model_card", "other"))),
    Attack(
        "detector_not_in_parts", "check", "voice_activity", as_folder(put("voice_activity", "part", "other"))
    ),
    Attack("step_not_in_parts", "check", "streaming.step", as_folder(put("streaming", "step", "other"))),
    Attack("head_not_in_parts", "check", "streaming.head", as_folder(put("streaming", "head", "other"))),
    Attack("step_that_is_no_step", "check", "no trunk", as_folder(put("streaming", "step", "encoder"))),
    Attack("head_that_is_no_head", "check", "no mean", as_folder(put("streaming", "head", "decoder"))),
    Attack(
        "state_without_a_successor",
        "check",
        "no next_state_0",
        as_folder(put("parts", STEP, "outputs", 2, "name", "next_state_1")),
    ),
    Attack(
        "state_that_grows",
        "check",
        "one shape",
        as_folder(put("parts", STEP, "outputs", 2, "shape", 1, 4)),
    ),
    Attack(
        "state_of_any_size",
        "check",
        "state_0",
        as_folder(put("parts", STEP, "inputs", 1, "shape", 1, "time")),
    ),
    Attack("good_state_in_integers", "good", "", as_folder(states("state_0"))),
    Attack("integers_of_no_state", "check", "frames", as_folder(states("frames"))),
    Attack("integers_of_another_type", "check", "dtype", as_folder(states("state_0", dtype="int32"))),
    Attack("zero_point_beyond_its_type", "check", "0 to 255", as_folder(states("state_0", zero_point=256))),
    Attack(
        "zero_point_that_is_no_integer",
        "check",
        "zero_point",
        as_folder(states("state_0", zero_point=0.5)),
    ),
    Attack(
        "call_of_other_frames", "check", "streaming: got", as_folder(put("streaming", "frames_per_call", 128))
    ),
    Attack(
        "call_of_part_of_an_output", "check", "multiple", as_folder(put("streaming", "stride_frames", 48))
    ),
    Attack("lead_of_a_whole_call", "check", "lead_frames", as_folder(put("streaming", "lead_frames", 64))),
    Attack(
        "axes_of_another_number", "check", "axes", as_folder(put("parts", 0, "inputs", 0, "axes", ["batch"]))
    ),
    Attack(
        "feature_std_of_another_length", "check", "feature_std", as_folder(put("face", "feature_std", [1.0]))
    ),
    Attack("ragged_whitener", "check", "whitener", as_folder(put("domain", "whitener", 1, [1.0]))),
    Attack(
        "statistics_of_other_parameters", "check", "avatar", as_folder(put("avatar_statistics", "std", {}))
    ),
    Attack(
        "landmarks_without_their_mean_shape",
        "check",
        "no topology, mean_landmarks, warp",
        as_folder(lambda found: {**found, "face": {"image_size_px": 224}}),
    ),
    Attack("half_a_geometry", "check", "no warp", as_folder(put("face", "warp", None))),
    Attack(
        "head_the_wrong_way_round",
        "check",
        "face.head",
        as_folder(put("face", "head", {"left": 0.9, "right": 0.1, "brows": 0.3, "chin": 0.9})),
    ),
    Attack(
        "head_outside_the_picture",
        "check",
        "face.head",
        as_folder(put("face", "head", {"left": 0.1, "right": 0.9, "brows": 0.3, "chin": 1.1})),
    ),
    Attack("too_many_files", "check", "1 to 500", as_folder(listing(*(f"n{index}" for index in range(500))))),
    Attack("manifest_lists_itself", "check", "manifest.json", as_folder(listing("manifest.json"))),
    Attack("file_that_is_a_folder_too", "check", "file or a folder", as_folder(listing("golden"))),
    Attack("two_cases_of_one_name", "check", "twice", as_folder(listing(ENCODER.upper()))),
]

BAD_NAMES = {
    "absolute_path": "/etc/hostname",
    "parent_folder": "../elsewhere",
    "parent_folder_inside": "golden/../../elsewhere",
    "backslash": "..\\elsewhere",
    "drive_letter": "C:elsewhere",
    "network_share": "//server/share",
    "nul_character": "a\0b",
    "line_break": "a\nb",
    "empty_name": "",
    "dot": ".",
    "hidden_file": ".profile",
    "double_slash": "golden//audio.npy",
    "option_like": "-rf",
    "not_ascii": "caf\u00e9",
    "very_long": "a" * 300,
}
NAMES = [
    *(
        Attack(f"lists_{name}", "check", "path inside", as_folder(listing(path)))
        for name, path in BAD_NAMES.items()
    ),
    *(
        Attack(
            f"artefact_file_is_{name}", "check", "path inside", as_folder(put("artefacts", 0, "file", path))
        )
        for name, path in BAD_NAMES.items()
    ),
]

MANIFEST_ATTACKS = [*TEXTS_AND_FIELDS, *NAMES]
