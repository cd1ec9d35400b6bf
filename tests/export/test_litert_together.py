"""All parts of a bundle as one LiteRT file with a signature for each."""

import numpy as np
import pytest

from voxtoon.bundle import DEFAULT_BUNDLE, open_bundle
from voxtoon.errors import CheckError, InputError
from voxtoon_export import litert_together
from voxtoon_export.exporter import export
from voxtoon_export.litert_model import read, written
from voxtoon_export.litert_together import together, write_together

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs voxtoon[litert]")


@pytest.fixture(scope="module")
def bundle(tiny_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "tiny.voxtoon"
    return export(tiny_checkpoint, output=path, formats=["litert"]).bundle


@pytest.fixture(scope="module")
def contents(bundle):
    with open_bundle(bundle) as opened:
        runtime = {part.name for part in opened.manifest.parts if part.role == "runtime"}
        return {a.part: opened.read(a.file) for a in opened.manifest.artefacts if a.part in runtime}


def outputs(content, signature, frames):
    run = interpreter.Interpreter(model_content=content).get_signature_runner(signature)
    return run(frames=frames)


def test_every_part_that_a_device_runs_is_a_signature_of_it(bundle, contents, tmp_path):
    found = write_together(bundle, tmp_path / "parts.tflite")
    one = interpreter.Interpreter(model_path=str(found.path))

    assert set(one.get_signature_list()) == set(contents) == set(found.apart_bytes)
    for part, content in contents.items():
        alone = interpreter.Interpreter(model_content=content).get_signature_list()[part]
        assert one.get_signature_list()[part] == alone
    assert "face_encoder" not in found.apart_bytes  # of evaluation alone


def test_a_signature_gives_the_bits_of_the_parts_own_file(contents):
    frames = np.random.default_rng(1).standard_normal((1, 598, 64, 1)).astype(np.float32)
    one = together(contents)

    found, expected = outputs(one, "encoder", frames), outputs(contents["encoder"], "encoder", frames)
    np.testing.assert_array_equal(found["feature"], expected["feature"])


def test_weights_that_parts_share_are_in_it_once(contents):
    """The first convolution and the last layer are the same in the encoder and in its step or head."""
    parts = ("encoder", "encoder_step", "head")
    apart = sum(len(contents[part]) for part in parts)

    assert apart - len(together({part: contents[part] for part in parts})) > 0.1 * len(contents["encoder"])


def test_a_signature_that_computes_something_else_is_not_written(bundle, tmp_path, monkeypatch):
    def one_weight_changed(contents):
        model = read(together(contents))
        largest = max(
            (buffer for buffer in model.buffers if buffer.data is not None), key=lambda b: len(b.data)
        )
        largest.data = np.array(largest.data, np.uint8)
        largest.data.view(np.float32)[:] += 1.0
        return written(model)

    monkeypatch.setattr(litert_together, "together", one_weight_changed)
    with pytest.raises(CheckError, match="computes something else in a file with others"):
        write_together(bundle, tmp_path / "parts.tflite")
    assert not list(tmp_path.iterdir())


def test_a_file_of_several_graphs_is_refused(contents):
    two = together({part: contents[part] for part in ("decoder", "head")})
    with pytest.raises(CheckError, match="head cannot share a file: got 2 graphs, 2 signatures"):
        together({"decoder": contents["decoder"], "head": two})


def test_a_bundle_without_litert_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"not in the bundle for a phone.*litert"):
        write_together(DEFAULT_BUNDLE, tmp_path / "parts.tflite")
    assert not list(tmp_path.iterdir())
