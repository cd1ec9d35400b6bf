"""A processor whose integer products overflow is found out; there alone onnxruntime is to be careful."""

import numpy as np
import pytest

from voxtoon import int8_overflow
from voxtoon.engines import onnx


def session(model):
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_the_sum_that_is_tried_is_the_largest_there_is():
    trial = session(int8_overflow._MODEL)
    x = np.arange(64, dtype=np.uint8)[None]

    assert trial.run(None, {"x": x})[0].tolist() == [[127 * int(x.sum())] * 16]


@pytest.mark.parametrize(("got", "overflows"), [(64 * 255 * 127, False), (32 * 32767, True)])
def test_a_sum_that_saturates_gives_the_processor_away(monkeypatch, got, overflows):
    monkeypatch.setattr(int8_overflow, "_sum", lambda session: got)

    assert int8_overflow.products_overflow.__wrapped__() is overflows


@pytest.mark.parametrize(
    ("precision", "overflows", "careful"),
    [("int8", True, True), ("int8-unverified", True, True), ("int8", False, False), ("fp32", True, False)],
)
def test_only_integers_on_such_a_processor_take_the_slower_kernels(
    monkeypatch, precision, overflows, careful
):
    monkeypatch.setattr(onnx, "products_overflow", lambda: overflows)
    loaded = onnx.load(int8_overflow._MODEL, precision=precision, threads=1)

    name, value = int8_overflow.PRECISE
    options = loaded.inference.get_session_options()
    assert (options.get_session_config_entry(name) if careful else None) == (value if careful else None)
    assert careful or not _has(options, name)


def _has(options, name):
    try:
        return bool(options.get_session_config_entry(name))
    except RuntimeError:  # what onnxruntime raises for an entry that was never made
        return False
