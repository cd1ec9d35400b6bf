"""The tables of docs/quantization.md: all recipes go through, and peers are answered as it is asked."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the benchmarks need voxtoon[export]")

from benchmarks import onnx2tf
from benchmarks.page import marks
from benchmarks.quantization import __main__ as onnx_tables
from benchmarks.quantization import full_size, mobile
from benchmarks.quantization.command_line import asked, parser
from benchmarks.quantization.outcomes import OfPart, Outcome
from benchmarks.quantization.peers import FASTER, against_peers
from tests.export.conftest import tiny_variant  # noqa: F401
from voxtoon_quantize.formats import quantized_format, quantized_formats
from voxtoon_quantize.quality import Quality

PAGE = Path(__file__).resolve().parents[2] / "docs" / "quantization.md"
RECIPES = {"onnx": onnx_tables.RECIPES, **mobile.RECIPES}


@pytest.mark.parametrize("name", quantized_formats())
def test_the_default_model_goes_through_every_scheme_of_a_format(name):
    used = {
        scheme
        for recipe in RECIPES[name].values()
        for scheme in (recipe.scheme, *(override.scheme for override in recipe.overrides))
    }
    assert used == set(quantized_format(name).schemes) - {"fp32"}


@pytest.mark.parametrize("name", quantized_formats())
def test_the_full_size_goes_through_every_scheme_of_a_format_in_both_parts(name, tiny_variant, request):  # noqa: F811
    if name != "onnx":
        pytest.importorskip("ai_edge_quantizer", reason="quantizing LiteRT needs voxtoon[export]")
    quantized = quantized_format(name)
    header, *rows = full_size.rows(quantized, tiny_variant, frames=320)

    for part in ("encoder", "decoder"):
        told = [row[1].rpartition(" ")[2] for row in rows if row[0] == part]
        assert sorted(told) == sorted(quantized.schemes)
    assert {len(row) for row in rows} == {len(header)}
    refused = [(row[0], row[1]) for row in rows if row[2].startswith("refused: ")]
    assert all("block" in label for _, label in refused)  # of rows that blocks do not divide
    assert ("faster" in header) == quantized.timed


def test_the_page_has_a_place_for_all_that_is_measured():
    text = PAGE.read_text()
    for name in (*onnx_tables.NAMES, *mobile.NAMES):
        assert [text.count(mark) for mark in marks(name)] == [1, 1]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["onnx", "rewrites", "layers", "fc1", "corrections"]),
        (["--full-size"], list(onnx_tables.NAMES)),
        (["--only", "fc1", "onnx"], ["onnx", "fc1"]),
        (["--only", "onnx-full-size"], ["onnx-full-size"]),
    ],
)
def test_what_is_asked_for_is_measured_in_the_order_of_the_page(words, names):
    arguments = parser(None, onnx_tables.NAMES, clips=1).parse_args(["--data", ".", *words])

    assert asked(arguments, onnx_tables.NAMES) == names


def outcome(label, *, size=1000, faster=(1.0, 1.0), angle_deg=0.5, psnr_db=45.0):
    parts = {
        name: OfPart(size // 2, 4.0, ratio, 1.0)
        for name, ratio in zip(("encoder", "decoder"), faster, strict=True)
    }
    return Outcome(label, parts, Quality(8, angle_deg, 2 * angle_deg, psnr_db=psnr_db))


PEER = outcome("peer")
BETTER = outcome("better", faster=(2.0, 2.0), angle_deg=0.3, psnr_db=50.0)


def verdict(own, *, faster=True):
    _, row = against_peers([own], [PEER], faster=faster)
    return row[-1]


def test_what_is_no_larger_as_true_and_faster_answers_a_peer():
    assert verdict(BETTER) == "met"
    assert verdict(outcome("as true", faster=(FASTER, FASTER))) == "met"
    assert verdict(outcome("the last digit", faster=(2, 2), angle_deg=0.505, psnr_db=44.95)) == "met"


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"size": 1002}, "size"),
        ({"angle_deg": 0.52}, "angle"),
        ({"psnr_db": 44.8}, "PSNR"),
        ({"faster": (1.0, 2.0)}, "speed of the encoder"),
        ({"faster": (2.0, 1.15)}, "speed of the decoder"),
        ({"angle_deg": 0.52, "faster": (2.0, 1.0)}, "angle, speed of the decoder"),
    ],
)
def test_what_is_missed_is_told(changes, missed):
    own = outcome("own", **{"faster": (2.0, 2.0), **changes})

    assert verdict(own) == f"MISSED: {missed}"
    if "speed" in missed and "angle" not in missed:
        assert verdict(own, faster=False) == "met"


def test_of_those_that_answer_a_peer_the_truest_of_the_fastest_is_told_with_its_ratios():
    slower = outcome("slower", faster=(1.5, 1.5), angle_deg=0.1, psnr_db=60.0)
    as_fast = outcome("as fast", faster=(2.1, 2.1), angle_deg=0.2, psnr_db=49.0)
    false = outcome("fast and false", faster=(9.0, 9.0), psnr_db=20.0)
    header, row = against_peers([slower, as_fast, false, BETTER], [PEER], faster=True)

    assert dict(zip(header, row, strict=True)) == {
        "peer": "peer",
        "ours": "better",
        "bytes, ours / its": "1,000 / 1,000 = 1.000",
        "angle": "0.30 / 0.50",
        "PSNR dB": "50.0 / 45.0",
        "encoder faster than its": "2.00x",
        "decoder faster than its": "2.00x",
        "asked": "met",
    }


def test_a_file_without_names_gets_those_of_the_part_by_their_shapes(tiny_variant):  # noqa: F811
    pytest.importorskip("ai_edge_litert", reason="LiteRT needs voxtoon[export]")
    from voxtoon_export.litert_model import read, written

    quantized = quantized_format("litert")
    spec = tiny_variant.parts["decoder"]
    content = full_size.lowered("litert", spec)
    inputs = full_size.noise(spec, 1)
    expected = quantized.load(content, precision="fp32").run(inputs)
    model = read(content)
    model.signatureDefs = []
    named = onnx2tf.with_names(written(model), inputs, expected)

    found = quantized.load(named, precision="fp32").run(inputs)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
