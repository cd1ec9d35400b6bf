"""Step and head in the other formats: their lowerings take them as they take every part."""

import pytest

from tests.export.streaming_encoders import encoder, frames_for, lively
from voxtoon.engines import ENGINES
from voxtoon_export.lowering import format_named
from voxtoon_export.streaming.check import check_streaming, streamed_reference
from voxtoon_export.streaming.parts import head_part, step_part
from voxtoon_export.streaming.rings import head_network
from voxtoon_export.streaming.step import StepNetwork

CONVERTERS = {"litert": "litert_torch", "coreml": "coremltools"}


@pytest.mark.parametrize(
    ("name", "precisions", "padded"), [("litert", ("fp32", "fp16"), False), ("coreml", ("fp32",), True)]
)
def test_artefacts_equal_the_encoder_call_by_call(name, precisions, padded):
    pytest.importorskip(CONVERTERS[name], reason=f"lowering to {name} needs voxtoon[export]")
    file_format = format_named(name)
    network = lively(encoder("mel", padded=padded))
    step, head = step_part(network.spec), head_part(network.spec)
    stepped = StepNetwork(network, step, channel_first=file_format.channel_first)
    modules = ((stepped.eval(), step), (head_network(network), head))
    files = [file_format.lower(module, part, precisions) for module, part in modules]
    frames = frames_for(network.spec, 600).numpy()
    reference = streamed_reference(network, step, frames)
    for precision in precisions:
        sessions = [
            ENGINES[file_format.engine].load(made[precision], precision=precision, threads=1)
            for made in files
        ]
        tolerance = file_format.tolerances[precision]
        found = check_streaming(*sessions, step, frames, reference, tolerance=tolerance, where=name)
        assert found.keys() == {"trunk", "feature"}
