"""`voxtoon verify`: a table, and an exit code that a script can trust."""

import json

import pytest

from voxtoon.cli import main


@pytest.fixture
def bad_bundle(golden_bundle, rewrite_manifest):
    """The feature of another voice is what this one asks for."""
    file = golden_bundle / "golden/encoder.feature.npy"
    content = bytearray(file.read_bytes())
    content[-2] ^= 0x40
    file.write_bytes(content)
    return rewrite_manifest(golden_bundle)


def test_a_good_bundle_is_shown_row_by_row(golden_bundle, capsys):
    assert main(["verify", str(golden_bundle)]) == 0

    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()[1:]]
    assert rows[0][:4] == ["part", "format", "precision", "output"]
    assert [row[0] for row in rows[1:]].count("decoder") == 2
    assert {row[-1] for row in rows[1:]} == {"good"}
    assert shown.err == ""


def test_a_failure_names_part_format_precision_figure_and_tolerance(bad_bundle, capsys):
    assert main(["verify", str(bad_bundle)]) == 1

    shown = capsys.readouterr()
    assert shown.out.count("FAILED") == 3
    assert shown.err.startswith("voxtoon: error: encoder onnx fp32, feature: max_abs_relative: got ")
    assert shown.err.endswith(", expected at most 1e-05 (and 2 more)\n")
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize("which", ["golden_bundle", "bad_bundle"])
def test_json_says_the_same(which, request, capsys):
    folder = request.getfixturevalue(which)
    code = main(["verify", str(folder), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert report["good"] is (code == 0) is (which == "golden_bundle")
    first = report["checks"][0]
    assert (first["part"], first["tolerance"]) == ("front_end", {"max_abs_relative": 1e-5})
    assert first["agreement"]["max_abs_relative"] <= 1e-5


def test_a_bundle_that_is_not_there_is_wrong_use(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "no.voxtoon")]) == 2
    assert "no such bundle" in capsys.readouterr().err


def test_a_bundle_with_a_changed_file_is_a_failed_check(golden_bundle, capsys):
    (golden_bundle / "model_card.md").write_text("# Rather better weights\n")

    assert main(["verify", str(golden_bundle)]) == 1
    assert "model_card.md has another size" in capsys.readouterr().err
