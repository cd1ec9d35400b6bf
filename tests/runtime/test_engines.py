"""Which engine runs which artefact, and what happens when none can."""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from voxtoon import CheckError, InputError, open_bundle
from voxtoon import engines as registry
from voxtoon.engines import ENGINES, EngineSpec, choose, load_session
from voxtoon.manifest import Manifest


@pytest.fixture
def bundle(tiny_bundle):
    with open_bundle(tiny_bundle) as opened:
        yield opened


def with_artefacts(bundle, *held):
    """The bundle's manifest, with these (format, precision) of its encoder."""
    told = bundle.manifest.to_json()
    encoder = next(artefact for artefact in told["artefacts"] if artefact["part"] == "encoder")
    told["artefacts"] = [
        {**encoder, "format": held_format, "precision": precision} for held_format, precision in held
    ]
    return Manifest.from_json(told)


def engine(name, *, module="json"):
    return EngineSpec(
        name=name, format=name, package="numpy", module=module, load=lambda model, **options: None
    )


def test_auto_takes_what_is_installed_and_held(bundle):
    session = load_session(bundle, "encoder")
    assert (session.engine, session.precision) == ("onnx", "fp32")


def test_a_session_maps_names_to_arrays(bundle):
    frames = np.random.default_rng(0).normal(size=(1, 300, 64, 1)).astype(np.float32)
    outputs = load_session(bundle, "encoder", threads=2).run({"frames": frames})
    assert {name: array.shape for name, array in outputs.items()} == {"feature": (1, 8)}


@pytest.mark.parametrize(
    ("held", "asked", "chosen"),
    [
        ([("onnx", "fp16"), ("onnx", "fp32"), ("onnx", "int8")], {}, "int8"),
        ([("onnx", "int8-unverified"), ("onnx", "fp16"), ("onnx", "fp32")], {}, "fp32"),
        (
            [("onnx", "fp32"), ("onnx", "int8-unverified")],
            {"precision": "int8-unverified"},
            "int8-unverified",
        ),
        ([("onnx", "fp32"), ("onnx", "int8")], {"precision": "int8"}, "int8"),
        ([("coreml", "fp32"), ("onnx", "int8")], {"engine": "onnx"}, "int8"),
    ],
)
def test_auto_prefers_int8_and_never_what_missed_its_gate(bundle, held, asked, chosen):
    _, artefact = choose(with_artefacts(bundle, *held), "encoder", **asked)
    assert (artefact.format, artefact.precision) == ("onnx", chosen)


def test_another_engine_is_taken_where_the_first_has_no_artefact(bundle, monkeypatch):
    monkeypatch.setitem(ENGINES, "other", engine("other"))
    spec, artefact = choose(with_artefacts(bundle, ("other", "int8")), "encoder")
    assert (spec.name, artefact.format) == ("other", "other")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"engine": "abacus"}, "unknown engine: got 'abacus', expected auto, onnx, litert"),
        (
            {"precision": "fp64"},
            "unknown precision: got 'fp64', expected auto, int8, fp32, fp16, int8-unverified",
        ),
        (
            {"precision": "int8"},
            "no artefact of the part encoder for this choice: got engine auto, precision int8, "
            "expected one of its own: onnx fp32",
        ),
    ],
)
def test_a_choice_that_cannot_be_had_lists_what_can(bundle, asked, message):
    with pytest.raises(InputError, match=message):
        bundle.session("encoder", **asked)


def test_an_unknown_part_lists_those_there_are(bundle):
    with pytest.raises(InputError, match="expected encoder, decoder, voice_activity"):
        bundle.session("enkoder")


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_one_or_more(bundle, threads):
    with pytest.raises(InputError, match=f"threads: got {threads}, expected 1 or more"):
        bundle.session("encoder", threads=threads)


def test_an_engine_that_is_not_installed_is_told_with_its_package(bundle, monkeypatch):
    monkeypatch.setitem(ENGINES, "other", engine("other", module="no_such_module"))
    with pytest.raises(InputError, match="the engine other is not installed; pip install numpy"):
        choose(bundle.manifest, "encoder", engine="other")


def test_auto_leaves_engines_that_only_check_to_who_asks_for_them(bundle, monkeypatch):
    checking = replace(engine("checking"), automatic=False)
    monkeypatch.setitem(ENGINES, "checking", checking)
    held = with_artefacts(bundle, ("checking", "fp32"))
    with pytest.raises(InputError, match="no artefact of the part encoder for this choice"):
        choose(held, "encoder")
    assert choose(held, "encoder", engine="checking")[0] is checking


def naming(bundle, *packages):
    """The bundle's manifest, its encoder in fp32 and int8, the latter for these packages."""
    held = with_artefacts(bundle, ("onnx", "fp32"), ("onnx", "int8"))
    exact, integers = held.artefacts
    return replace(held, artefacts=(exact, replace(integers, minimum_runtime=dict.fromkeys(packages, "1.0"))))


def test_an_artefact_that_names_other_engines_is_passed_over(bundle):
    """As LiteRT's integers, which its predecessor computes otherwise."""
    assert choose(naming(bundle), "encoder")[1].precision == "int8"
    assert choose(naming(bundle, "onnxruntime", "other"), "encoder")[1].precision == "int8"
    assert choose(naming(bundle, "other"), "encoder")[1].precision == "fp32"


def test_an_artefact_that_names_other_engines_is_refused_to_who_asks_for_it(bundle):
    with pytest.raises(InputError, match="not for the installed engine: got onnxruntime, expected other"):
        choose(naming(bundle, "other"), "encoder", precision="int8")


def test_no_engine_at_all_is_told(bundle, monkeypatch):
    monkeypatch.setattr(registry, "ENGINES", {"other": engine("other", module="no_such_module")})
    with pytest.raises(InputError, match="no inference engine is installed"):
        choose(bundle.manifest, "encoder")


def test_an_engine_older_than_the_artefact_needs_is_refused(changed_bundle):
    def ask_for_more(manifest):
        manifest["artefacts"][0]["minimum_runtime"] = {"onnxruntime": "99.0"}

    with (
        open_bundle(changed_bundle(ask_for_more)) as bundle,
        pytest.raises(InputError, match=r"onnxruntime is too old .* expected 99\.0 or later"),
    ):
        bundle.session("encoder")


def test_an_artefact_that_is_none_fails_the_check():
    with pytest.raises(CheckError, match="onnxruntime cannot load the artefact"):
        ENGINES["onnx"].load(b"not a model", precision="fp32", threads=None)


def test_an_engine_is_one_file_more(tmp_path):
    """A module with an `ENGINE`, put beside the others, is found without any other change."""
    (tmp_path / "later.py").write_text(
        textwrap.dedent(
            """
            from voxtoon.engines import EngineSpec
            ENGINE = EngineSpec(name="later", format="l", package="l", module="l", load=print)
            """
        )
    )
    program = f"""
import sys, types, pkgutil
real = pkgutil.iter_modules
pkgutil.iter_modules = lambda path=None, prefix="": (path.append({str(tmp_path)!r}), real(path, prefix))[1]
from voxtoon.engines import ENGINES
print(*ENGINES)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["onnx", "later", "litert", "coreml", "coreml_stateful"]


def test_the_engine_is_told_to_report_nothing_before_it_is_imported():
    program = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print("telemetry off:", os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
from voxtoon.engines import ENGINES
print("imported:", "onnxruntime" in sys.modules)
try:
    ENGINES["onnx"].load(b"", precision="fp32", threads=None)
except Exception as error:
    print(type(error).__name__)
"""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["imported: False", "telemetry off: 1", "CheckError"]
