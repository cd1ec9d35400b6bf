"""Every other engine computes what torch computes; one that is not installed is left out."""

import numpy as np
import pytest
import torch

from voxtoon_export import peer_engines

FRAMES = np.random.default_rng(6).normal(size=(1, 3, 5, 4)).astype(np.float32)


class Small(torch.nn.Module):
    """Channel last as our parts are, and with two outputs as the decoder has."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(4, 6, 3, padding=1)
        self.dense = torch.nn.Linear(6 * 15, 7)

    def forward(self, value):
        found = torch.relu(self.convolution(value.permute(0, 3, 1, 2)))
        return found.permute(0, 2, 3, 1), self.dense(found.flatten(1))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(6)
    return Small().eval()


@pytest.fixture(scope="module")
def expected(network):
    with torch.inference_mode():
        return [tensor.numpy() for tensor in network(torch.from_numpy(FRAMES))]


@pytest.fixture(scope="module")
def plain(network):
    return peer_engines.plain_export(network, {"frames": FRAMES})


@pytest.mark.parametrize(
    ("engine", "packages", "tolerance"),
    [
        (peer_engines.torch_eager, [], 1e-6),
        (peer_engines.torch_compile, [], 1e-6),
        (peer_engines.onnxruntime, [], 1e-6),
        # These compute in bfloat16 or float16 where the processor can, unless told not to.
        (peer_engines.openvino, ["openvino"], 1e-2),
        (peer_engines.ncnn, ["ncnn", "pnnx"], 1e-3),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_engine_computes_what_torch_computes(engine, packages, tolerance, network, plain, expected):
    for package in packages:
        pytest.importorskip(package, reason=f"{package} is not installed (voxtoon[peers])")
    source = plain if engine in (peer_engines.onnxruntime, peer_engines.openvino) else network
    found = engine(source, {"frames": FRAMES}, threads=1)()
    for array, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, reference, rtol=0, atol=tolerance)
